foreach(subject IN ITEMS tally fence)
	unit_test(consensus_${subject} LINKS consensus)
endforeach()
