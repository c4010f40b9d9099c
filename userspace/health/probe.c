// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "health/probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Not the endpoint's fault: nothing can be said about it. */
static bool is_ours(int code)
{
	return code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM ||
	       code == -EADDRNOTAVAIL || code == -EAFNOSUPPORT || code == -EINTR;
}

static enum weir_health_reason reason_of(int code)
{
	switch (-code) {
	case ECONNREFUSED:
		return WEIR_HEALTH_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return WEIR_HEALTH_RESET;
	case ETIMEDOUT:
		return WEIR_HEALTH_CONNECT_TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case EACCES:
	case EPERM:
	case EINVAL: /* a blackhole route */
		return WEIR_HEALTH_UNREACHABLE;
	default:
		return WEIR_HEALTH_SOCKET;
	}
}

static int fail(struct probe *probe, int code)
{
	if (is_ours(code))
		return code;
	probe->result.reason = reason_of(code);
	probe->result.detail = -code;
	return PROBE_DONE;
}

static socklen_t socket_address(const struct addr *address, uint16_t port,
				struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *ip4 = (struct sockaddr_in *)ret;

	*ret = (struct sockaddr_storage){};
	if (addr_family(address) == AF_INET) {
		ip4->sin_family = AF_INET;
		ip4->sin_port = htons(port);
		memcpy(&ip4->sin_addr, address->bytes + 12, 4);
		return sizeof(*ip4);
	}
	ip6->sin6_family = AF_INET6;
	ip6->sin6_port = htons(port);
	memcpy(&ip6->sin6_addr, address->bytes, 16);
	return sizeof(*ip6);
}

int probe_begin(struct probe *probe, const struct health_check *check, const struct addr *address,
		uint16_t port)
{
	struct linger reset = { .l_onoff = 1 };
	struct sockaddr_storage to;
	socklen_t size = socket_address(address, port, &to);

	(void)check;
	*probe = (struct probe){
		.fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP),
	};
	if (probe->fd < 0)
		return fail(probe, -errno);
	setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (!connect(probe->fd, (struct sockaddr *)&to, size))
		return PROBE_DONE;
	return errno == EINPROGRESS ? PROBE_WRITE : fail(probe, -errno);
}

int probe_step(struct probe *probe)
{
	struct pollfd ready = { .fd = probe->fd, .events = POLLOUT };
	int code = 0;
	socklen_t size = sizeof(code);

	if (poll(&ready, 1, 0) <= 0)
		return PROBE_WRITE;
	if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		code = errno;
	return code ? fail(probe, -code) : PROBE_DONE;
}

void probe_time_out(struct probe *probe)
{
	probe->result.reason = WEIR_HEALTH_CONNECT_TIMEOUT;
}

void probe_end(struct probe *probe)
{
	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
}
