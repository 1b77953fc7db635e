foreach(subject IN ITEMS tally)
	unit_test(consensus_${subject} LINKS consensus)
endforeach()
