foreach(subject IN ITEMS services parts jobs dispatch artifacts)
	unit_test(coordinator_${subject} LINKS coordinator chain)
endforeach()
