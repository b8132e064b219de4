"""Facts that several causes derive: injection, users, intended roles, trust policy flaws, STS calls."""
