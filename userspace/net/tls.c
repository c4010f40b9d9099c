// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "net/addr.h"
#include "util/file.h"

#define CA_FILE_MAX (4u << 20) /* bytes: twenty times what a system trusts */

struct tls_trust {
	SSL_CTX *context;
};

struct tls {
	SSL *ssl;
	enum tls_wait wait;
};

static void free_infos(STACK_OF(X509_INFO) * *infos)
{
	sk_X509_INFO_pop_free(*infos, X509_INFO_free);
}

static void free_bio(BIO **bio)
{
	BIO_free(*bio);
}

/* All of a text, with its lists of what was revoked; at least one. */
static int trust_certificates(X509_STORE *store, const char *text, size_t size)
{
	_cleanup_(free_bio) BIO *bio = BIO_new_mem_buf(text, (int)size);
	_cleanup_(free_infos) STACK_OF(X509_INFO) *infos = NULL;
	int count = 0;

	infos = bio ? PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL) : NULL;
	for (int i = 0; infos && i < sk_X509_INFO_num(infos); i++) {
		const X509_INFO *info = sk_X509_INFO_value(infos, i);

		if ((info->x509 && !X509_STORE_add_cert(store, info->x509)) ||
		    (info->crl && !X509_STORE_add_crl(store, info->crl)))
			return -EINVAL;
		count += info->x509 != NULL;
	}
	return count ? 0 : -EINVAL;
}

static int trust_whom(SSL_CTX *context, const char *ca_file, struct err *err)
{
	_cleanup_(freep) char *text = NULL;
	size_t size;
	int r;

	ERR_clear_error();
	if (!ca_file)
		return SSL_CTX_set_default_verify_paths(context)
			       ? 0
			       : err_set(err, -EINVAL, "this system's certificates: %s",
					 ERR_reason_error_string(ERR_peek_last_error()));
	r = file_read(ca_file, CA_FILE_MAX, &text, &size);
	if (r < 0)
		return err_set(err, -EINVAL, "%s: no certificate can be read from it: %s", ca_file,
			       file_error(r));
	if (trust_certificates(SSL_CTX_get_cert_store(context), text, size) < 0)
		return err_set(err, -EINVAL,
			       "%s: no certificate can be read from it: it must hold certificates "
			       "in PEM",
			       ca_file);
	return 0;
}

int tls_trust_new(const char *ca_file, bool verify, struct tls_trust **ret, struct err *err)
{
	_cleanup_(tls_trust_freep) struct tls_trust *trust = calloc(1, sizeof(*trust));
	int r;

	if (!trust)
		return err_set(err, -ENOMEM, "out of memory");
	trust->context = SSL_CTX_new(TLS_client_method());
	if (!trust->context || !SSL_CTX_set_min_proto_version(trust->context, TLS1_2_VERSION))
		return err_set(err, -ENOMEM, "out of memory");
	SSL_CTX_set_mode(trust->context, SSL_MODE_ENABLE_PARTIAL_WRITE);
	SSL_CTX_set_options(trust->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(trust->context, SSL_SESS_CACHE_OFF);
	if (verify) {
		SSL_CTX_set_verify(trust->context, SSL_VERIFY_PEER, NULL);
		r = trust_whom(trust->context, ca_file, err);
		if (r < 0)
			return r;
	}
	*ret = take_ptr(trust);
	return 0;
}

void tls_trust_free(struct tls_trust *trust)
{
	if (!trust)
		return;
	SSL_CTX_free(trust->context);
	free(trust);
}

/* An address is in the certificate, but never in the greeting: RFC 6066, section 3. */
static bool set_name(SSL *ssl, const char *name)
{
	struct addr address;

	if (!addr_parse(name, &address))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, name) && SSL_set_tlsext_host_name(ssl, name);
}

int tls_open(const struct tls_trust *trust, int fd, const char *name, struct tls **ret)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return -ENOMEM;
	tls->ssl = SSL_new(trust->context);
	if (!tls->ssl || !SSL_set_fd(tls->ssl, fd) || !set_name(tls->ssl, name)) {
		tls_close(tls);
		return -ENOMEM;
	}
	SSL_set_connect_state(tls->ssl);
	*ret = tls;
	return 0;
}

void tls_close(struct tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	free(tls);
}

/* What a call that returned `r` came to; `code` is errno as it left it. */
static int result_of(struct tls *tls, int r, int code)
{
	switch (SSL_get_error(tls->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		tls->wait = TLS_READ;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		tls->wait = TLS_WRITE;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return code ? -code : -ECONNRESET;
	default:
		return -EPROTO;
	}
}

int tls_handshake(struct tls *tls)
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(tls->ssl);
	if (r == 1)
		return TLS_DONE;
	r = result_of(tls, r, errno);
	if (r == -EAGAIN)
		return tls->wait;
	return r ? r : -ECONNRESET;
}

ssize_t tls_send(struct tls *tls, const void *bytes, size_t size)
{
	size_t sent;
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_write_ex(tls->ssl, bytes, size, &sent);
	return r == 1 ? (ssize_t)sent : result_of(tls, r, errno);
}

ssize_t tls_receive(struct tls *tls, void *bytes, size_t size)
{
	size_t received;
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_read_ex(tls->ssl, bytes, size, &received);
	return r == 1 ? (ssize_t)received : result_of(tls, r, errno);
}

bool tls_has_more(const struct tls *tls)
{
	return SSL_pending(tls->ssl) > 0;
}

enum tls_wait tls_wait(const struct tls *tls)
{
	return tls->wait;
}

enum tls_failure tls_failure(const struct tls *tls, int *ret_code)
{
	long code = SSL_get_verify_result(tls->ssl);

	*ret_code = (int)code;
	switch (code) {
	case X509_V_OK:
		return TLS_PROTOCOL;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_NOT_YET;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return TLS_SELF_SIGNED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_UNTRUSTED:
		return TLS_UNTRUSTED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_NAME;
	default:
		return TLS_CERTIFICATE;
	}
}
