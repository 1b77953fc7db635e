# One chain executed by several builds. The blocks are the model test's; what is compared is each
# block's app_hash, results hash and rows, and the simulator's traces.
program(replay SOURCES replay/main.c replay/blocks_file.c LINKS chain_settle chain_format chain base)

foreach(pair IN ITEMS "hundreds_of_blocks:5000:3" "ten_thousand_blocks:95000:25")
	string(REPLACE ":" ";" pair "${pair}")
	list(GET pair 0 name)
	list(GET pair 1 actions)
	list(GET pair 2 seeds)
	add_test(NAME replay_${name}_with_every_compiler
		COMMAND ${PROJECT_SOURCE_DIR}/tests/replay/compilers.sh ${CMAKE_BINARY_DIR} ${actions} ${seeds})
	# Both build in the same folder.
	set_tests_properties(replay_${name}_with_every_compiler PROPERTIES TIMEOUT 1800 RESOURCE_LOCK replay_builds)
endforeach()
set_tests_properties(replay_ten_thousand_blocks_with_every_compiler PROPERTIES LABELS full)
