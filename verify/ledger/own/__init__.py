"""Our own results, among them what holds in place of each refuted statement."""
