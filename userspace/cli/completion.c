// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* weir completion: what a shell needs to complete the command line, from the table of verbs. */
#include <ctype.h>
#include <string.h>

#include "cli/verbs.h"
#include "util/str.h"

/* What the arguments of a verb, as its help shows them, can be completed with. */
struct completion {
	struct str options; /* " -c -i --generic" */
	struct str words;   /* " tcp udp": of alternatives */
	bool files;
	bool interfaces;
	bool verbs;
};

static void completion_fini(struct completion *completion)
{
	str_fini(&completion->options);
	str_fini(&completion->words);
}

/* One word of the help; `alternative` if there is a '|' beside it. */
static void take_word(struct completion *completion, const char *word, size_t size,
		      bool alternative)
{
	bool lower = true;

	for (size_t i = 0; i < size; i++)
		lower &= islower((unsigned char)word[i]) || isdigit((unsigned char)word[i]);
	if (word[0] == '-')
		str_add(&completion->options, " %.*s", (int)size, word);
	else if (alternative && lower)
		str_add(&completion->words, " %.*s", (int)size, word);
	completion->files |= size == 4 && !strncmp(word, "FILE", size);
	completion->interfaces |= size == 2 && !strncmp(word, "IF", size);
	completion->verbs |= size == 4 && !strncmp(word, "VERB", size);
}

static void take_words(struct completion *completion, const char *help)
{
	static const char *const between = " []|\n.";
	char before = ' ';

	while (*help) {
		size_t size = strcspn(help, between);

		if (size)
			take_word(completion, help, size, before == '|' || help[size] == '|');
		help += size;
		before = *help;
		help += *help != '\0';
	}
}

static struct completion completion_of(const struct verb *verb)
{
	struct completion completion = {};

	take_words(&completion, verb->arguments);
	if (verb->options)
		take_words(&completion, verb->options);
	return completion;
}

static void print_verbs(void)
{
	for (size_t i = 0; i < verbs_count; i++)
		printf(" %s", verbs[i].name);
}

/* A branch of a case over $verb, of bash and zsh; sets choices, files and interfaces. */
static void print_case(const struct verb *verb)
{
	_cleanup_(completion_fini) struct completion completion = completion_of(verb);

	printf("\t%s) choices='%s%s", verb->name, completion.options.text ?: "",
	       completion.words.text ?: "");
	if (completion.verbs)
		print_verbs();
	printf("'%s%s ;;\n", completion.files ? " files=1" : "",
	       completion.interfaces ? " interfaces=1" : "");
}

/* Sets verb to the first word that is none of the common options, and choices to what can follow.
 * `line` is the array of the words of the command line. */
static void print_choice(const char *current, const char *first, const char *line)
{
	printf("\tlocal verb='' choices='' files='' interfaces='' i\n"
	       "\tfor ((i = %s; i < %s; i++)); do\n"
	       "\t\tcase ${%s[i]} in\n"
	       "\t\t-N | --instance) ((i++)) ;;\n"
	       "\t\t-*) ;;\n"
	       "\t\t*) verb=${%s[i]}; break ;;\n"
	       "\t\tesac\n"
	       "\tdone\n"
	       "\tcase $verb in\n"
	       "\t'') choices='",
	       first, current, line, line);
	print_verbs();
	printf("' ;;\n");
	for (size_t i = 0; i < verbs_count; i++)
		print_case(&verbs[i]);
	printf("\tesac\n"
	       "\tchoices=\"$choices -N --json --pretty --help\"\n"
	       "\t[ -z \"$interfaces\" ] || choices=\"$choices $(cd /sys/class/net && echo *)\"\n");
}

static void print_bash(void)
{
	printf("# bash completion of weir: source <(weir completion bash)\n"
	       "_weir() {\n"
	       "\tlocal current=${COMP_WORDS[COMP_CWORD]}\n");
	print_choice("COMP_CWORD", "1", "COMP_WORDS");
	printf("\tCOMPREPLY=($(compgen -W \"$choices\" -- \"$current\"))\n"
	       "\t[ -z \"$files\" ] || COMPREPLY+=($(compgen -f -- \"$current\"))\n"
	       "}\n"
	       "complete -o filenames -F _weir weir\n");
}

static void print_zsh(void)
{
	printf("#compdef weir\n"
	       "# zsh completion of weir: source <(weir completion zsh), after compinit\n"
	       "_weir() {\n");
	print_choice("CURRENT", "2", "words");
	printf("\tcompadd -- ${=choices}\n"
	       "\t[ -z \"$files\" ] || _files\n"
	       "}\n"
	       "compdef _weir weir\n");
}

/* "-l generic", "-s c" for each option in the list. */
static void print_fish_options(const char *verb, const char *options)
{
	while (*(options += strspn(options, " "))) {
		size_t size = strcspn(options, " ");
		size_t dashes = strspn(options, "-");

		printf("complete -c weir -n '__fish_seen_subcommand_from %s' -%c %.*s\n", verb,
		       dashes == 2 ? 'l' : 's', (int)(size - dashes), options + dashes);
		options += size;
	}
}

static void print_fish_verb(const struct verb *verb)
{
	_cleanup_(completion_fini) struct completion completion = completion_of(verb);
	const char *seen = "__fish_seen_subcommand_from";

	printf("complete -c weir -n __fish_use_subcommand -a %s -d \"%s\"\n", verb->name,
	       verb->help);
	if (completion.options.text)
		print_fish_options(verb->name, completion.options.text);
	if (completion.words.text)
		printf("complete -c weir -n '%s %s' -a '%s'\n", seen, verb->name,
		       completion.words.text + 1);
	if (completion.files)
		printf("complete -c weir -n '%s %s' -F\n", seen, verb->name);
	if (completion.interfaces)
		printf("complete -c weir -n '%s %s' -a '(command ls /sys/class/net)'\n", seen,
		       verb->name);
	if (!completion.verbs)
		return;
	printf("complete -c weir -n '%s %s' -a '", seen, verb->name);
	print_verbs();
	printf("'\n");
}

static void print_fish(void)
{
	printf("# fish completion of weir: weir completion fish | source\n"
	       "complete -c weir -f\n"
	       "complete -c weir -s N -l instance -x -d 'the instance'\n"
	       "complete -c weir -s j -l json -d JSON\n"
	       "complete -c weir -s p -l pretty -d 'indented JSON'\n"
	       "complete -c weir -s h -l help -d help\n");
	for (size_t i = 0; i < verbs_count; i++)
		print_fish_verb(&verbs[i]);
}

int cli_completion(const struct cli *cli, struct err *err)
{
	const char *shell = cli->argc == 2 ? cli->argv[1] : "";

	if (!strcmp(shell, "bash"))
		print_bash();
	else if (!strcmp(shell, "zsh"))
		print_zsh();
	else if (!strcmp(shell, "fish"))
		print_fish();
	else
		return err_set(err, CLI_USAGE, "completion: name one shell: bash, zsh or fish");
	return 0;
}
