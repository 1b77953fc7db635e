/* commands: what each command of aitbc does; commands.c holds the table that names them. Each
 * returns the process's exit code and has said on stderr what went wrong. */
#ifndef WALLET_COMMANDS_H
#define WALLET_COMMANDS_H

#include "wallet/cli.h"

/* commands_keys.c */
int command_keys_new(struct cli *cli);
int command_keys_import(struct cli *cli);
int command_keys_list(struct cli *cli);
int command_keys_show(struct cli *cli);
int command_keys_export(struct cli *cli);

/* commands_money.c */
int command_balance(struct cli *cli);
int command_send(struct cli *cli);
int command_faucet(struct cli *cli);

/* commands_history.c */
int command_history(struct cli *cli);
int command_txs(struct cli *cli);

/* commands_submit.c */
int command_submit(struct cli *cli);

/* commands_jobs.c */
int command_status(struct cli *cli);
int command_result(struct cli *cli);
int command_cancel(struct cli *cli);
int command_receipt(struct cli *cli);
int command_why(struct cli *cli);
int command_jobs(struct cli *cli);

/* commands_chain.c */
int command_chain(struct cli *cli);
int command_block(struct cli *cli);
int command_blocks(struct cli *cli);
int command_tx(struct cli *cli);
int command_receipts(struct cli *cli);
int command_validators(struct cli *cli);
int command_miners(struct cli *cli);
int command_version(struct cli *cli);

/* commands_authority.c */
int command_authority(struct cli *cli);

#endif
