#include "base/status.h"

const char *status_text(enum status status)
{
	switch (status) {
	case STATUS_OK: return "ok";
	case STATUS_NO_MEMORY: return "out of memory";
	case STATUS_NOT_FOUND: return "not found";
	case STATUS_IO: return "input/output error";
	case STATUS_DISK_FULL: return "disk full";
	case STATUS_CORRUPT: return "corrupt";
	case STATUS_INVALID: return "invalid";
	case STATUS_BUSY: return "busy";
	case STATUS_TIMEOUT: return "timed out";
	case STATUS_REFUSED: return "refused";
	case STATUS_UNSUPPORTED: return "unsupported";
	}
	return "unknown status";
}
