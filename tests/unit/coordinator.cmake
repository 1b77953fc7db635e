foreach(subject IN ITEMS services parts jobs dispatch artifacts)
	unit_test(coordinator_${subject} LINKS coordinator chain)
endforeach()
unit_test(coordinator_flow SOURCES unit/coordinator_world.c LINKS coordinator settle_kit)
