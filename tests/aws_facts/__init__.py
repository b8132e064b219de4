"""What AWS answers, as a table with sources, and what the sandbox and stock moto answer to the same calls."""
