unit_test(json_span LINKS base)
