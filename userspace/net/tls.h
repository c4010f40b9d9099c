/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TLS over a connected, non-blocking socket, as a client: TLS 1.2 or newer, without renegotiation
 * or resumption, the server's certificate verified unless its user says otherwise. The only user of
 * OpenSSL. The process ignores SIGPIPE.
 */
#ifndef WEIR_NET_TLS_H
#define WEIR_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/cleanup.h"
#include "util/err.h"

/* Whom to trust. */
struct tls_trust;

/* The certificates of a file (PEM), or (NULL) those that this system trusts; not `verify`: anybody.
 * -EINVAL with a text: there is none in it, or it cannot be read. */
int tls_trust_new(const char *ca_file, bool verify, struct tls_trust **ret, struct err *err);
void tls_trust_free(struct tls_trust *trust);
DEFINE_CLEANUP(struct tls_trust *, tls_trust_free)

struct tls;

/* `name` is a host's name, which is also sent, or an IP address: the certificate must be for it.
 * The trust must outlive it; the descriptor stays the caller's. 0 or -ENOMEM. */
int tls_open(const struct tls_trust *trust, int fd, const char *name, struct tls **ret);
void tls_close(struct tls *tls);

enum tls_wait {
	TLS_DONE = 0,
	TLS_READ = 1,  /* go on when the socket has something to read */
	TLS_WRITE = 2, /* ... or room to write */
};

/* Goes on with the handshake: an enum tls_wait, -EPROTO (tls_failure() tells), or what the socket
 * said; -ECONNRESET if the peer closed it. */
int tls_handshake(struct tls *tls);

/* Bytes that went or came, 0: the peer closed, -EAGAIN (tls_wait() tells), or as the handshake. */
ssize_t tls_send(struct tls *tls, const void *bytes, size_t size);
ssize_t tls_receive(struct tls *tls, void *bytes, size_t size);

/* Is there something to receive that the socket does not tell of, since it has been decrypted? */
bool tls_has_more(const struct tls *tls);

/* What the last call that could not go on waits for. */
enum tls_wait tls_wait(const struct tls *tls);

enum tls_failure {
	TLS_PROTOCOL, /* no TLS, or none that both sides know */
	TLS_EXPIRED,  /* the certificate, or one on the way to whom is trusted */
	TLS_NOT_YET,  /* valid */
	TLS_SELF_SIGNED,
	TLS_UNTRUSTED, /* nobody who is trusted has signed it */
	TLS_NAME,      /* it is for somebody else */
	TLS_CERTIFICATE,
};

/* Why a handshake failed; *ret_code is OpenSSL's of the certificate, 0 with TLS_PROTOCOL. */
enum tls_failure tls_failure(const struct tls *tls, int *ret_code);

#endif
