foreach(subject IN ITEMS config files disk homes waits workers)
	unit_test(node_${subject} SOURCES unit/node_place.c LINKS node)
endforeach()
