# build/rot: one changed byte in one of four homes; see its head. A trial that fails belongs into the list
# below, for ever.
program(rot SOURCES rot/main.c rot/cluster.c sim/people.c LINKS node)
add_test(NAME rot_one_changed_byte_is_harmless_repaired_or_named COMMAND rot --trials 1..200)
set_tests_properties(rot_one_changed_byte_is_harmless_repaired_or_named PROPERTIES LABELS rot TIMEOUT 600)
add_test(NAME rot_ten_thousand_changed_bytes COMMAND rot --trials 1..10000)
set_tests_properties(rot_ten_thousand_changed_bytes PROPERTIES LABELS "rot;full" TIMEOUT 7200)


# A record whose length reaches past the end of its file is taken for one that a crash cut short. In the list
# of tables (MANIFEST) that made the newest rows of single families vanish without a word.
foreach(file IN ITEMS MANIFEST wal)
	add_test(NAME rot_each_bit_of_the_lengths_in_${file} COMMAND rot --lengths ${file})
	set_tests_properties(rot_each_bit_of_the_lengths_in_${file} PROPERTIES LABELS rot TIMEOUT 600)
endforeach()
