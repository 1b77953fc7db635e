unit_test(store_contract LINKS chain_store_rocks chain)
unit_test(blocks LINKS chain)
unit_test(index LINKS chain)
unit_test(store_manifest LINKS chain)
