# build/sim: production replicas in a world of one seed; see --help. A seed that fails prints the
# command that replays it; it then belongs into a list below, for ever.
program(sim
	SOURCES sim/main.c sim/world.c sim/faults.c sim/phases.c sim/net.c sim/node.c sim/node_life.c
		sim/disk.c sim/sick_store.c sim/checks.c sim/people.c sim/work.c
		sim/scenario.c sim/scenarios.c
		sim/liar.c sim/lying.c sim/flood.c sim/words.c sim/accuse.c
	LINKS replica chain_settle chain genesis base)

function(sim_test name)
	add_test(NAME sim_${name} COMMAND sim ${ARGN})
	set_tests_properties(sim_${name} PROPERTIES LABELS sim TIMEOUT 600)
endfunction()
function(sim_test_full name)
	sim_test(${name} ${ARGN})
	set_tests_properties(sim_${name} PROPERTIES LABELS "sim;full" TIMEOUT 7200)
endfunction()

sim_test(one_validator_crashing --nodes 1 --crashes --seeds 1..50)
sim_test(four_validators_without_faults --nodes 4 --seeds 1..5)
sim_test(four_validators_crashing --nodes 4 --crashes --seeds 1..25)
sim_test(four_validators_crashing_and_losing_messages --nodes 4 --crashes --loss 100 --seeds 1..25)
sim_test(two_validators_crashing_and_losing_messages --nodes 2 --crashes --loss 100 --seeds 1..10)
sim_test(three_validators_crashing --nodes 3 --crashes --seeds 1..15)
sim_test(a_validator_and_its_twin --nodes 4 --twins --seeds 1..10)
sim_test(twins_who_are_heard_by_different_halves --nodes 4 --twins --split --seeds 1..10)
sim_test(twins_of_seven_heard_by_different_halves
	--nodes 7 --twins --split --loss 30 --seeds 1..4)
sim_test(a_validator_and_its_twin_crashing_and_losing_messages
	--nodes 4 --twins --crashes --loss 100 --seeds 1..20)
# Validators that lie: less than a third of the power, in one way, and in ways drawn by the seed.
foreach(lie proposer voter silent selective part bits height time address block amnesia sync flood
		stranger replay evidence)
	sim_test(four_validators_one_lies_${lie} --nodes 4 --liars ${lie} --loss 30 --seeds 1..12)
endforeach()
sim_test(four_validators_one_lies --nodes 4 --liars any --crashes --loss 100 --seeds 1..24)
sim_test(five_validators_one_lies --nodes 5 --liars any --crashes --loss 50 --seeds 1..12)
sim_test(seven_validators_two_lie --nodes 7 --liars any --loss 50 --seeds 1..12)
sim_test(seven_validators_two_equivocate --nodes 7 --liars proposer,voter,amnesia --seeds 1..6)
# Who begins late, with one of its peers lying about blocks.
sim_test(a_latecomer_and_a_liar --nodes 4 --liars sync --late --fault-ms 10000 --seeds 1..10)
sim_test(a_latecomer_and_a_liar_about_heights
	--nodes 4 --liars sync,height --late --fault-ms 10000 --loss 30 --seeds 1..10)
sim_test(a_latecomer_and_a_liar_of_any_kind
	--nodes 7 --liars any --liar-count 1 --late --fault-ms 6000 --seeds 1..6)
# One liar too many: the chain may fork, and never without proof against a third.
sim_test(forks_of_four_are_blamed_on_the_guilty
	--nodes 4 --liars proposer,voter,amnesia --forks --fault-ms 2000 --seeds 1..15)
sim_test(forks_of_seven_are_blamed_on_the_guilty
	--nodes 7 --liars proposer,voter --forks --fault-ms 1000 --seeds 1..5)
sim_test(one_validator_crashing_at_every_deed
	--nodes 1 --fault-ms 100 --blocks 3 --crash-everywhere 250)
sim_test(each_of_four_validators_crashing_at_some_deed
	--nodes 4 --fault-ms 100 --blocks 8 --crash-everywhere 240 --crash-stride 19)
sim_test(same_seed_same_trace_of_one --nodes 1 --crashes --twice --seeds 1..10)
sim_test(same_seed_same_trace_of_four --nodes 4 --crashes --loss 50 --twice --seeds 1..5)

# Everything at once, as each seed draws it.
sim_test(storms --storm --seeds 1..200)
sim_test(same_seed_same_storm --storm --twice --seeds 1..20)

# Seeds that once failed.
sim_test(lost_proof_of_lock_is_repaired --nodes 4 --crashes --loss 300 --seeds 2010..2021)
# A restarted validator signed on log records that were written and not synced; a power cut took them, it could not
# repeat its precommit, and with another validator dead the round never ended. Recovery begins with a barrier.
sim_test(nothing_is_signed_on_an_unsynced_log --storm --seeds 807..807)
# A link that ended and came back set to nothing what its peer had said early: memory without a bound.
sim_test(early_messages_count_over_all_links --storm --seeds 49..49)

# Published failures of other protocols (tests/sim/scenarios.c): played, healed, decided within 5 rounds.
function(sim_story name scenario)
	sim_test(${name} --scenario ${scenario} --seeds 1..8)
	sim_test_full(${name}_often --scenario ${scenario} --seeds 100..299)
endfunction()
sim_story(halves_of_six_never_fork two-quorums-of-three-among-six)
sim_story(a_liar_between_two_pairs_never_forks two-quorums-of-three-among-five-one-lying)
sim_story(five_locked_on_two_blocks_agree locked-on-two-blocks-among-five)
sim_story(six_locked_on_two_blocks_agree locked-on-two-blocks-among-six)
sim_story(a_stop_between_two_locks_is_survived fail-stop-between-two-locks)
sim_story(the_locked_vote_for_a_newer_certificate vote-for-a-newer-certificate-although-locked)
sim_story(what_one_alone_decided_is_decided_by_all decided-where-nobody-hears)
sim_story(an_older_proof_opens_no_newer_lock older-proof-against-a-newer-lock)
sim_story(three_on_three_heads_agree three-signers-on-three-heads)
sim_story(four_on_two_heads_agree four-signers-two-on-each-head)
sim_story(four_of_five_on_two_heads_agree four-of-five-signers-two-on-each-head)
sim_story(six_of_eight_on_two_heads_agree eight-signers-three-on-each-head)
sim_story(a_prepared_block_is_found_again proposers-that-missed-the-prepared-block)
sim_story(two_of_four_wiped_vote_again two-of-four-wiped)
sim_story(rounds_that_drifted_apart_meet rounds-drifted-apart)
sim_story(rounds_grow_to_fit_a_slow_network network-slower-than-the-first-timeouts)
sim_story(four_started_within_thirty_seconds_decide started-within-thirty-seconds)

# A test of the test: bugs that it must see.
sim_test(sees_a_fence_that_allows_everything --crashes --seeds 1..20 --plant fence)
sim_test(sees_messages_that_leave_before_they_are_durable --crashes --seeds 1..20 --plant barrier)
sim_test(sees_blocks_told_before_they_are_durable --crashes --seeds 1..20 --plant store)
sim_test(sees_another_app_hash --nodes 4 --seeds 1..20 --plant hash)

sim_test_full(a_thousand_storms --storm --seeds 10001..11000)
sim_test_full(each_of_four_validators_crashing_at_every_deed
	--nodes 4 --fault-ms 100 --blocks 8 --crash-everywhere 300)
sim_test_full(one_validator_crashing_often --nodes 1 --crashes --seeds 1000..1999)
sim_test_full(four_validators_crashing_often --nodes 4 --crashes --seeds 1000..1999)
sim_test_full(four_validators_losing_messages_often
	--nodes 4 --crashes --loss 200 --seeds 2000..2999)
sim_test_full(twins_often --nodes 4 --twins --crashes --loss 100 --seeds 4000..4999)
sim_test_full(four_with_a_liar_often --nodes 4 --liars any --crashes --loss 100 --seeds 6000..6499)
sim_test_full(five_with_a_liar_often --nodes 5 --liars any --crashes --loss 50 --seeds 6500..6699)
sim_test_full(seven_with_two_liars_often --nodes 7 --liars any --loss 50 --seeds 6700..6999)
sim_test_full(latecomers_and_a_liar_often
	--nodes 4 --liars sync,height --late --fault-ms 10000 --loss 30 --seeds 7000..7899)
sim_test_full(latecomers_and_a_liar_of_any_kind_often
	--nodes 7 --liars any --liar-count 1 --late --fault-ms 6000 --seeds 7900..7999)
sim_test_full(forks_are_blamed_on_the_guilty_often
	--nodes 4 --liars proposer,voter,amnesia --forks --loss 50 --fault-ms 2000 --seeds 8000..8499)
sim_test_full(twins_heard_by_different_halves_often
	--nodes 4 --twins --split --crashes --loss 50 --seeds 9000..9499)
sim_test_full(twins_of_seven_often --nodes 7 --twins --loss 50 --seeds 5000..5199)
sim_test_full(seven_validators_crashing_often --nodes 7 --crashes --loss 50 --seeds 3000..3199)

add_test(NAME sim_sees_some_bugs_put_into_the_production_code
	COMMAND ${PROJECT_SOURCE_DIR}/tests/sim/mutants.sh ${CMAKE_BINARY_DIR}/tests/some few)
set_tests_properties(sim_sees_some_bugs_put_into_the_production_code
	PROPERTIES LABELS "sim" PROCESSORS 2 TIMEOUT 900)
add_test(NAME sim_sees_bugs_put_into_the_production_code
	COMMAND ${PROJECT_SOURCE_DIR}/tests/sim/mutants.sh ${CMAKE_BINARY_DIR}/tests)
set_tests_properties(sim_sees_bugs_put_into_the_production_code
	PROPERTIES LABELS "sim;full" TIMEOUT 7200)
