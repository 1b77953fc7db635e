#!/bin/sh
# pure.sh LIB.a...: the rooms that must not know files, sockets, clocks, randomness, threads or streams. Reads what their
# objects leave undefined; prints each banned symbol with its object. 0 when there are none.
set -u
status=0
for library in "$@"; do
	${NM:-nm} -A -u "$library" 2>/dev/null | awk -v library="$library" '
	BEGIN {
		n = split("open open64 openat openat64 creat close read write pread pread64 pwrite pwrite64 readv writev lseek fsync fdatasync " \
			"unlink rename mkdir stat fstat lstat fopen fopen64 fdopen freopen fclose fread fwrite fgets getline fgetc getc " \
			"printf vprintf fprintf vfprintf dprintf vdprintf puts fputs putchar putc fputc perror " \
			"__printf_chk __fprintf_chk __vprintf_chk __vfprintf_chk __dprintf_chk stdout stderr stdin " \
			"socket connect bind listen accept accept4 send sendto sendmsg recv recvfrom recvmsg poll ppoll select " \
			"epoll_create epoll_create1 epoll_wait epoll_ctl getaddrinfo gethostbyname " \
			"time clock clock_gettime gettimeofday localtime localtime_r gmtime mktime ftime nanosleep usleep sleep " \
			"rand rand_r srand random srandom drand48 lrand48 getrandom getentropy arc4random arc4random_buf " \
			"getenv secure_getenv system popen fork vfork execve execvp execl kill signal sigaction " \
			"thrd_create mtx_lock mtx_init cnd_wait syscall", names, " ")
		for (i = 1; i <= n; i++)
			banned[names[i]] = 1
	}
	{
		symbol = $NF; sub(/@.*/, "", symbol)
		read++
		if (symbol in banned || symbol ~ /^(randombytes|pthread_|rocksdb_|curl_|event_|evbuffer|MHD_|sem_)/) {
			object = $1; sub(/:[^:]*$/, "", object); sub(/:$/, "", object)
			printf "%s: %s\n", object, symbol; bad++
		}
	}
	END {
		sub(/.*\//, "", library)
		printf "%s: %d undefined symbols read, %d banned\n", library, read, bad
		if (read == 0) print library ": nothing read: is it a library?"
		exit bad > 0 || read == 0
	}' || status=1
done
exit $status
