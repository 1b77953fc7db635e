unit_test(replica LINKS replica chain)
unit_test(replica_authority LINKS replica chain_settle genesis chain base)
unit_test(replica_voice SOURCES rot/cluster.c sim/people.c unit/node_place.c LINKS node)
unit_test(replica_sync SOURCES unit/replica_world.c LINKS replica chain_settle genesis chain base)
