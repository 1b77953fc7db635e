/* limits: every bound of the program that a peer, a user or a file could reach, in one place.
 * Protocol bounds name their section of docs/protocol.md; the others are ours to move. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

enum {
	/* memory */
	BUF_BYTES_MAX = 256 * 1024 * 1024,

	/* transactions [protocol 2] */
	TX_BYTES_MAX = 64 * 1024,
	TX_ACTIONS_MAX = 256,
	TX_MEMO_BYTES_MAX = 256,
	TX_ARENA_BYTES_MAX = 1024 * 1024,
	TX_VALID_MS_MAX = 24 * 3600 * 1000,
	ACCOUNT_PENDING_TXS_MAX = 64,
	ACCOUNT_PENDING_BYTES_MAX = 1024 * 1024,
	MEMPOOL_GAP_MS_MAX = 60 * 1000,
	MEMPOOL_TXS_MAX = 50 * 1000,
	MEMPOOL_BYTES_MAX = 64 * 1024 * 1024,
	MEMPOOL_NOTED_MAX = 16 * 1024, /* hashes verified or committed lately */

	/* jobs [protocol 3] */
	JOB_ID_BYTES_MAX = 64,
	SERVICE_BYTES_MAX = 64,
	UNIT_TYPE_BYTES_MAX = 16,
	REASON_BYTES_MAX = 256,
	COORDINATOR_OPERATORS_MAX = 8,
	COORDINATOR_URL_BYTES_MAX = 256,

	/* authority [protocol 10] */
	AUTHORITY_CHANGES_MAX = 16,   /* validators in one proposal */
	AUTHORITY_OPEN_VOTES_MAX = 4, /* of one operator */
	AUTHORITY_VOTE_MS = 7 * 24 * 3600 * 1000,
	AUTHORITY_REFERENCE_BYTES_MAX = 64,
	RELEASE_BYTES_MAX = 64,

	/* settlement's memory */
	/* What executing a block may hold, per byte of block.max_bytes: a plain one takes 5, the
	 * worst found (a due job booked with every nine bytes) 80. */
	SETTLE_BYTES_PER_BLOCK_BYTE = 256,
	SETTLE_SCRATCH_BYTES_MAX = 16 * 1024 * 1024, /* one transaction's decoding and records */
	SETTLE_DECODED_BYTES_MAX = 32 * 1024 * 1024, /* decoded in pass 1 and kept for pass 3 */
	SETTLE_ACCOUNT_CACHE_SETS = 32 * 1024,       /* of 4 accounts of 48 bytes: 6 MiB */
	KEYS_CACHED_MAX = 16 * 1024,                 /* of 97 bytes: 1.6 MiB */
	SUBMISSIONS_MAX = 8192, /* transactions on their way into the mempool */

	/* blocks */
	CHAIN_ID_BYTES_MAX = 50,
	BLOCK_BYTES_MAX = 4 * 1024 * 1024, /* default of consensus_params.block.max_bytes */
	BLOCK_TXS_MAX = 2000,              /* while apply runs on the loop [design D8] */
	BLOCK_PART_BYTES = 65536,
	BLOCK_PARTS_MAX = 1024, /* 64 MiB: above any max_bytes a genesis may set */
	EVIDENCE_PER_BLOCK_MAX = 64,
	EVIDENCE_PENDING_MAX = 32,  /* proofs that wait for a block, */
	EVIDENCE_VALIDATOR_MAX = 2, /* and of one validator */
	VALIDATORS_MAX = 100,
	ROUND_MAX = 10 * 1000, /* half a year of failed rounds, at the default timeouts */
	OLD_ROUNDS_MAX = 8,    /* brought back into view by peers' votes, each round of ours */
	VALIDATOR_ROWS_HEIGHTS = 256, /* a whole set is stored at least this often */

	/* genesis */
	GENESIS_BLOCK_BYTES_MAX =
		21 * 1024 * 1024, /* CometBFT's default; ours is BLOCK_BYTES_MAX */
	GENESIS_NAME_BYTES_MAX = 64,
	GENESIS_ACCOUNTS_MAX = 1000 * 1000,
	GENESIS_COORDINATORS_MAX = 1000,
	GENESIS_ARENA_BYTES_MAX = 128 * 1024 * 1024,
	GENESIS_INTERVAL_MS = 1000, /* of pace interval, unless told */

	/* peers */
	LOOK_BACK_BLOCKS = 10, /* in which a validator looks for signatures of its key */
	PEERS_MAX = 64,        /* that one node lists */
	PEER_NAME_BYTES_MAX = 64,
	HELD_TXS_MAX = 1024,   /* of clients, that wait a moment before they are told to peers */
	PEER_UP_TXS_MAX = 256, /* waiting transactions that a new link is told, and their bytes */
	PEER_UP_TX_BYTES_MAX = 1024 * 1024,
	EARLY_BYTES_MAX =
		6 * 1024 * 1024,          /* of one peer: what it says of the next height already */
	P2P_FRAME_BYTES_MAX = 128 * 1024, /* a part of a block with its proof, and as much again */
	P2P_QUEUE_BYTES_MAX = 16 * 1024 * 1024,  /* waiting for one peer to read */
	P2P_QUEUES_BYTES_MAX = 64 * 1024 * 1024, /* waiting for all peers together */
	P2P_READ_BYTES = 64 * 1024,              /* of one link, each turn of the loop */
	P2P_ACCEPTS_MAX = 16,                    /* connections, each turn of the loop */
	P2P_STRANGERS_MAX = 32,                  /* connections that have not proven who they are */
	P2P_HANDSHAKE_MS = 5000,                 /* and how long they may take for it */
	P2P_ADDRESSES_MAX = 256,                 /* whose connections are counted */
	P2P_ADDRESS_BURST = 128,                 /* connections of one address at once */
	P2P_ADDRESS_PER_S = 32,                  /* and after that */
	P2P_REDIAL_MS = 100,                     /* first pause; doubles */
	P2P_REDIAL_MS_MAX = 5000,
	P2P_UNREAD_MS_MAX = 30 * 1000, /* bytes unacknowledged: the peer's machine is gone */
	P2P_BAN_MS = 10 * 1000,        /* a first ban; doubles */
	P2P_BAN_MS_MAX = 3600 * 1000,
	P2P_BAN_FORGIVEN_MS = 600 * 1000, /* after a ban ends: the next one is a first one again */

	SYNC_BYTES_MAX = 32 * 1024 * 1024,     /* blocks being fetched */
	SYNC_PEER_BYTES_MAX = 4 * 1024 * 1024, /* asked of one peer at a time, and one block */
	SYNC_PEER_BLOCKS_MAX = 16,
	SERVE_BYTES_PER_S = 32 * 1024 * 1024, /* sent to one peer in answer to its requests */
	SERVE_BURST_BYTES = 8 * 1024 * 1024,

	/* HTTP */
	HTTP_BODY_BYTES_MAX = 1000 * 1000,
	HTTP_HEADER_BYTES_MAX = 16 * 1024,
	HTTP_URL_BYTES_MAX = 4 * 1024,
	HTTP_HEADERS_MAX = 64,
	HTTP_CONNECTIONS_MAX = 900,
	HTTP_WAITING_MAX = HTTP_CONNECTIONS_MAX, /* waits of a submission are short; each holds only
						    its connection */
	HTTP_REQUEST_MS_MAX = 30 * 1000,
	HTTP_HEADER_MS_MAX = 10 * 1000,             /* and how long a connection may be idle */
	HTTP_TRANSFER_MS_PER_MIB = 1000,            /* a streamed file's extra time */
	HTTP_BODIES_BYTES_MAX = 64 * 1024 * 1024,   /* bodies being received, all connections */
	HTTP_REPLIES_BYTES_MAX = 256 * 1024 * 1024, /* answers not yet read by their clients */
	HTTP_UPLOADS_MAX = 32,                      /* streamed at one time */
	HTTP_CLIENT_CALLS_MAX = 1024,
	HTTP_CLIENT_HOST_CONNECTIONS_MAX = 32,
	ARTIFACT_BYTES_MAX = 256 * 1024 * 1024,

	/* the coordinator */
	JOBS_LIVE_MAX = 50 * 1000, /* about 2 KiB each */
	CHAIN_GATHERED_MAX = 200 * 1000,
	CHAIN_LOOKS_MAX = 64, /* queries of the chain under way for jobs */
	JOB_PAYLOAD_BYTES_MAX = 256 * 1024,
	JOB_LIST_MAX = 100,
	JOB_LIST_OFFSET_MAX = 10 * 1000,
	MINER_POLLS_MAX = 100, /* long polls waiting; they share HTTP_WAITING_MAX */
	MINER_POLL_MS_MAX = 20 * 1000,
	MANAGED_ACCOUNTS_MAX = 256,

	/* JSON */
	JSON_DEPTH_MAX = 32,
	JSON_VALUES_MAX = 64 * 1024,     /* of a request of the coordinator's */
	RPC_JSON_VALUES_MAX = 16 * 1024, /* of a request: the largest batch and its parameters */
	RPC_BATCH_MAX = 10,
	QUERY_BYTES_MAX = 512,        /* of a query for events */
	SEARCH_ROWS_MAX = 100 * 1000, /* looked at for one search */
	QUERY_CONDITIONS_MAX = 64,    /* no query of that length holds more */
	RPC_COMMIT_WAIT_MS = 10 * 1000,
	RPC_PAGE_MAX = 100,
	RPC_BATCH_REPLY_BYTES_MAX =
		10 * 1000 * 1000,               /* after which a batch's other calls are refused */
	RPC_ARENA_BYTES_MAX = 32 * 1024 * 1024, /* decoded rows of one call */
	RPC_GENESIS_CHUNK_BYTES = 16 * 1024 * 1024,
	RPC_BLOCKCHAIN_MAX = 20
};

/* All artifacts of one coordinator, unless configured otherwise. Too large for an enum's int. */
#define ARTIFACT_TOTAL_BYTES_MAX ((uint64_t)16 * 1024 * 1024 * 1024)

#endif
