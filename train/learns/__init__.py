"""The proof that training learns: tiny models on the sample world's preset `proof`."""
