unit_test(replica LINKS replica chain)
unit_test(replica_authority LINKS replica chain_settle genesis chain base)
