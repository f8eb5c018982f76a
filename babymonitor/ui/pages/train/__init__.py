"""The Train page: teach, train, compare and choose models."""
