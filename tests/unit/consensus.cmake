foreach(subject IN ITEMS tally fence wal)
	unit_test(consensus_${subject} LINKS consensus)
endforeach()
