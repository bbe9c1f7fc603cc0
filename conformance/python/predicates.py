PREDICATES: dict[str, object] = {}
