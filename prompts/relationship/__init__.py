"""The sentences of relationships: how names, predicates and articles make one."""
