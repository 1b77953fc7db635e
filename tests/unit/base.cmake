unit_test(json_span LINKS base)
foreach(subject IN ITEMS amount bytes hash json keys rfc3339)
	unit_test(base_${subject} SOURCES unit/vectors.c LINKS base)
endforeach()
