unit_test(wallet_keystore LINKS wallet)
unit_test(wallet_terms LINKS wallet)
unit_test(wallet_sender_tx LINKS wallet)
unit_test(wallet_sender SOURCES unit/wallet_chain.c LINKS wallet)
