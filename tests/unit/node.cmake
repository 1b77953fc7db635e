foreach(subject IN ITEMS apply bans config daemon files disk driver homes net_rates slice stall waits
		workers)
	unit_test(node_${subject} SOURCES unit/node_place.c LINKS node)
endforeach()
unit_test(node_net SOURCES unit/node_net_world.c LINKS node)
unit_test(node_net_storm SOURCES unit/node_net_world.c LINKS node)
# RocksDB and what it calls aren't built with the thread sanitizer, which then can't see what orders
# their accesses.
set_tests_properties(node_apply PROPERTIES ENVIRONMENT
	"TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/unit/tsan.supp")
# They wait for the event loops of whole drivers and daemons.
set_tests_properties(node_driver node_daemon PROPERTIES RUN_SERIAL ON)
