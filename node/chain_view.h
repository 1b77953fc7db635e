/* chain_view: fills rpc's port (rpc/view.h) from the driver, the mempool and the genesis document.
 */
#ifndef NODE_CHAIN_VIEW_H
#define NODE_CHAIN_VIEW_H

#include "node/driver.h"
#include "node/net.h"
#include "node/stall.h"
#include "rpc/view.h"

struct chain_view {
	struct view view; /* what rpc gets */
	struct view_identity identity;
	struct driver *driver;
	struct mempool *mempool;
	const struct net *net; /* NULL: a node without peers */
	struct stall_source stall;
};

/* identity's texts must outlive it. net and stall are the caller's to set. */
void chain_view_init(struct chain_view *out, const struct view_identity *identity,
	struct driver *driver, struct mempool *mempool, struct store *store, const struct app *app);

#endif
