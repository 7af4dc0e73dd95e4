"""fedrec: a federated LLM recommender that can forget."""
