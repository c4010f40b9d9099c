// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which chains of nftables drop packets that reach this host: read only, and no judge of rules. */
#include <netinet/in.h> /* before its double of the kernel */

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "net/nl_internal.h"

static int type_of(int message)
{
	return NFNL_SUBSYS_NFTABLES << 8 | message;
}

static const char *family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	default:
		return NULL; /* of bridges and devices: weir's packets are none of these here */
	}
}

static struct nl_msg *dump_request(int message, uint8_t family)
{
	struct nfgenmsg header = { .nfgen_family = family, .version = NFNETLINK_V0 };

	return nl_message_new(type_of(message), NLM_F_DUMP, &header, sizeof(header));
}

/* Integers of nftables are in network order. */
static uint32_t number(const struct nlattr *attribute, uint32_t otherwise)
{
	return attribute ? ntohl(nl_attribute_number(attribute, 0)) : otherwise;
}

/* Does an expression of the rule look at the state of the connection? `match` is one of iptables.
 */
static bool rule_tracks(const struct nlattr *expressions)
{
	struct nlattr *expression;
	int left;

	nla_for_each_nested(expression, (struct nlattr *)expressions, left)
	{
		struct nlattr *parts[NFTA_EXPR_MAX + 1];

		if (nla_parse_nested(parts, NFTA_EXPR_MAX, expression, NULL) < 0 ||
		    !parts[NFTA_EXPR_NAME])
			continue;
		if (!nla_strcmp(parts[NFTA_EXPR_NAME], "ct") ||
		    !nla_strcmp(parts[NFTA_EXPR_NAME], "match"))
			return true;
	}
	return false;
}

static int table_tracks(struct nl *nl, uint8_t family, const char *table, bool *ret,
			struct err *err)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg = dump_request(NFT_MSG_GETRULE, family);
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	struct nlattr *rule[NFTA_RULE_MAX + 1];
	const struct nlmsghdr *message;
	size_t offset = 0;
	int r;

	if (!msg || nla_put_string(msg, NFTA_RULE_TABLE, table) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, &answer, err);
	*ret = false;
	while (!r && !*ret && (message = nl_answer_next(&answer, &offset)))
		if (!nl_attributes(message, sizeof(struct nfgenmsg), rule, NFTA_RULE_MAX) &&
		    rule[NFTA_RULE_EXPRESSIONS])
			*ret = rule_tracks(rule[NFTA_RULE_EXPRESSIONS]);
	return r;
}

/* 1: the message is of a chain that drops; 0: of another. */
static int parse_chain(const struct nlmsghdr *message, struct nl_dropping *ret)
{
	const struct nfgenmsg *header = nlmsg_data(message);
	struct nlattr *chain[NFTA_CHAIN_MAX + 1], *hook[NFTA_HOOK_MAX + 1];
	uint32_t at;

	if (nl_attributes(message, sizeof(*header), chain, NFTA_CHAIN_MAX) < 0 ||
	    !chain[NFTA_CHAIN_HOOK] || !chain[NFTA_CHAIN_NAME] || !chain[NFTA_CHAIN_TABLE] ||
	    nla_parse_nested(hook, NFTA_HOOK_MAX, chain[NFTA_CHAIN_HOOK], NULL) < 0)
		return 0;
	at = number(hook[NFTA_HOOK_HOOKNUM], UINT32_MAX);
	if (number(chain[NFTA_CHAIN_POLICY], NF_ACCEPT) != NF_DROP ||
	    (at != NF_INET_PRE_ROUTING && at != NF_INET_LOCAL_IN))
		return 0;
	*ret = (struct nl_dropping){ .family = family_name(header->nfgen_family) };
	nla_strlcpy(ret->table, chain[NFTA_CHAIN_TABLE], sizeof(ret->table));
	nla_strlcpy(ret->chain, chain[NFTA_CHAIN_NAME], sizeof(ret->chain));
	return ret->family != NULL;
}

int nl_dropping_chains(struct nl_dropping_list *ret, struct err *err)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg = dump_request(NFT_MSG_GETCHAIN, NFPROTO_UNSPEC);
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	_cleanup_(nl_freep) struct nl *nl = NULL;
	struct nl_dropping_list found = {};
	const struct nlmsghdr *message;
	size_t offset = 0;
	int r = nl_new_requests(NETLINK_NETFILTER, &nl, err);

	if (!msg)
		return err_set(err, -ENOMEM, "out of memory");
	r = r ?: nl_request(nl, msg, &answer, err);
	while (!r && (message = nl_answer_next(&answer, &offset))) {
		const struct nfgenmsg *header = nlmsg_data(message);
		struct nl_dropping chain;

		if (!parse_chain(message, &chain))
			continue;
		r = table_tracks(nl, header->nfgen_family, chain.table, &chain.tracks, err);
		if (!r && vec_push(&found.list, chain))
			r = err_set(err, -ENOMEM, "out of memory");
	}
	if (r < 0) {
		vec_free(&found.list);
		return r;
	}
	*ret = found;
	return 0;
}
