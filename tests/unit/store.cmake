unit_test(store_contract LINKS chain_store_rocks chain)
