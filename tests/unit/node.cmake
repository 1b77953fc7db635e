foreach(subject IN ITEMS apply config daemon files disk driver homes net waits workers)
	unit_test(node_${subject} SOURCES unit/node_place.c LINKS node)
endforeach()
# RocksDB isn't built with the thread sanitizer, which then can't see what orders its own accesses.
set_tests_properties(node_apply PROPERTIES ENVIRONMENT
	"TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/unit/tsan.supp")
