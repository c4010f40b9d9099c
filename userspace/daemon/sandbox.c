// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/caps.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#error "name this processor's AUDIT_ARCH_*, for the filter of system calls"
#endif

/* What an allocator, the C library's clock and random numbers, and an engine on epoll call. */
static const int allowed[] = {
	SYS_read,
	SYS_readv,
	SYS_write,
	SYS_writev,
	SYS_close,
	SYS_accept4,
	SYS_connect,
	SYS_recvfrom,
	SYS_recvmsg,
	SYS_sendto,
	SYS_sendmsg,
	SYS_shutdown,
	SYS_getsockname,
	SYS_getpeername,
	SYS_getsockopt,
	SYS_setsockopt,
	SYS_ioctl, /* SIOCOUTQ */
	SYS_splice,
	SYS_pipe2,
	SYS_fcntl,
	SYS_fstat,
	SYS_newfstatat,
	SYS_lseek,
	SYS_epoll_create1,
	SYS_epoll_ctl,
	SYS_epoll_pwait,
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
	SYS_mmap,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_brk,
	SYS_futex,
	SYS_clock_gettime,
	SYS_clock_nanosleep,
	SYS_gettimeofday,
	SYS_getrandom,
	SYS_getpid,
	SYS_gettid,
	SYS_tgkill, /* abort() */
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_sigaltstack,
	SYS_restart_syscall,
	SYS_sched_yield,
	SYS_exit,
	SYS_exit_group,
};

#define ALLOWED (sizeof(allowed) / sizeof(allowed[0]))

int sandbox_keep(uint64_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	uint64_t kept = 0;
	struct __user_cap_data_struct data[2] = {};

	for (int i = 0; i <= CAP_LAST_CAP; i++) {
		if (!(capabilities >> i & 1))
			prctl(PR_CAPBSET_DROP, i, 0, 0, 0); /* needs CAP_SETPCAP: as it may be */
		else if (caps_has(i))
			kept |= 1ull << i;
	}
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = kept >> 32 * i;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

#define LOAD(field)	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_NOT(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define IF(value, skip)	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, skip, 0)
#define RETURN(value)	    BPF_STMT(BPF_RET | BPF_K, value)

#define FILTER_HEAD	    16
#define FILTER_SIZE	    (FILTER_HEAD + ALLOWED + 2)

/* A socket of another family than IP is refused, too, and of bpf(2) all but the use of maps that
 * the worker was handed. */
static int filter(void)
{
	static const struct sock_filter head[FILTER_HEAD] = {
		LOAD(arch),
		IF(ARCHITECTURE, 1),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		IF_NOT(SYS_socket, 4), /* past what follows on it */
		LOAD(args[0]),
		IF(AF_INET, 1),
		IF_NOT(AF_INET6, 6),
		RETURN(SECCOMP_RET_ALLOW),
		IF_NOT(SYS_bpf, 6), /* the same */
		LOAD(args[0]),
		IF(BPF_MAP_UPDATE_ELEM, 3),
		IF(BPF_MAP_DELETE_ELEM, 2),
		IF(BPF_OBJ_GET_INFO_BY_FD, 1),
		RETURN(SECCOMP_RET_ERRNO | EPERM),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_filter code[FILTER_SIZE];
	struct sock_fprog program = { .len = FILTER_SIZE, .filter = code };
	size_t at = 0;

	for (; at < FILTER_HEAD; at++)
		code[at] = head[at];
	for (size_t i = 0; i < ALLOWED; i++)
		code[at++] = (struct sock_filter)IF(allowed[i], ALLOWED - i);
	code[at++] = (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM);
	code[at++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) ? -errno : 0;
}

int sandbox_enter(uid_t uid, gid_t gid)
{
	int r;

	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	r = sandbox_keep(0);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	return filter();
}
