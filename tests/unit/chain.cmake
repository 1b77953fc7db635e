foreach(subject IN ITEMS tx tx_form tx_memory)
	unit_test(chain_${subject} SOURCES unit/vectors.c unit/tx_samples.c LINKS chain base)
endforeach()
