/* slice: tells the scheduler that this process wants to run soon rather than long. A vote is a
 * dozen short deeds of several threads and processes; on a machine that does other work too, each
 * would wait for a whole turn (some ms) of somebody else. The share of the processor stays the
 * same. Used by the daemon before it starts a thread: were some threads' turns shorter than others'
 * they would interrupt one another, and work would come in smaller bunches. */
#ifndef NODE_SLICE_H
#define NODE_SLICE_H

/* For the calling thread and those it will start. A kernel that knows no slices of one's own
 * (before Linux 6.12), or doesn't let us, changes nothing. */
void slice_short(void);

#endif
