"""IAM, STS, EKS and S3 of the sandbox: moto behind a layer that refuses what AWS refuses."""
