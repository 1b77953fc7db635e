unit_test(replica LINKS replica chain)
