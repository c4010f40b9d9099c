// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/regex.h"

#include <errno.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Steps of one match: milliseconds, where a text is made to let it try everything. */
#define STEPS_MAX 100000

struct regex {
	pcre2_code *code;
	pcre2_match_context *context;
	pcre2_match_data *data;
};

void regex_free(struct regex *regex)
{
	if (!regex)
		return;
	pcre2_match_data_free(regex->data);
	pcre2_match_context_free(regex->context);
	pcre2_code_free(regex->code);
	free(regex);
}

static int explain(int number, size_t at, size_t size, size_t *ret_at, struct err *err)
{
	PCRE2_UCHAR why[160] = "";

	if (number == PCRE2_ERROR_HEAP_FAILED)
		return -ENOMEM;
	pcre2_get_error_message(number, why, sizeof(why));
	if (ret_at)
		*ret_at = at < size ? at : size;
	return err_set(err, -EINVAL, "regular expression: %s", (char *)why);
}

int regex_new(const char *text, bool any_case, struct regex **ret, size_t *ret_at, struct err *err)
{
	uint32_t options = PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_DOLLAR_ENDONLY;
	_cleanup_(regex_freep) struct regex *regex = calloc(1, sizeof(*regex));
	PCRE2_SIZE at = 0;
	int number;

	if (!regex)
		return -ENOMEM;
	regex->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
				    options | (any_case ? PCRE2_CASELESS : 0), &number, &at, NULL);
	if (!regex->code)
		return explain(number, at, strlen(text), ret_at, err);
	/* Where code must not be written, as in a hardened unit, it is interpreted. */
	pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
	regex->context = pcre2_match_context_create(NULL);
	regex->data = pcre2_match_data_create(REGEX_SPANS, NULL);
	if (!regex->context || !regex->data)
		return -ENOMEM;
	pcre2_set_match_limit(regex->context, STEPS_MAX);
	*ret = take_ptr(regex);
	return 0;
}

int regex_match(struct regex *regex, const char *text, size_t size,
		struct regex_span ret[REGEX_SPANS])
{
	int count =
		pcre2_match(regex->code, (PCRE2_SPTR)text, size, 0, 0, regex->data, regex->context);
	const PCRE2_SIZE *places = pcre2_get_ovector_pointer(regex->data);

	if (count == PCRE2_ERROR_NOMATCH)
		return 0;
	if (count < 0)
		return -ETIME;
	/* 0: there are more groups than these. */
	count = count ?: REGEX_SPANS;
	for (int i = 0; ret && i < REGEX_SPANS; i++) {
		bool set = i < count && places[2 * i] != PCRE2_UNSET &&
			   places[2 * i] <= places[2 * i + 1];

		ret[i] = set ? (struct regex_span){ places[2 * i], places[2 * i + 1] }
			     : (struct regex_span){};
	}
	return 1;
}
