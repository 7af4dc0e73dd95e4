"""The commands of `fedrec forget`: erasure requests of a trained model, from the submission to the certificate."""
