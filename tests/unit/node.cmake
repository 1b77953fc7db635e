foreach(subject IN ITEMS config daemon files disk driver homes waits workers)
	unit_test(node_${subject} SOURCES unit/node_place.c LINKS node)
endforeach()
