foreach(subject IN ITEMS hashes vote validators parts)
	unit_test(format_${subject} SOURCES unit/vectors.c LINKS chain_format chain_proto base)
endforeach()
