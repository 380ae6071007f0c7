/*
 * What a word of the command line can be completed to, by the tables (cli/cmd.h): commands, options, their
 * values, kinds, and what the cluster holds.
 *
 * Values of options are told by type (OPT_ENUM) and by the name of the value: "a|b|c" offers a, b and c,
 * "FORMAT" the words of its help ("wide, json or name"), "FILE" files, "FOLDER" folders, "SELECTOR" and
 * "LABEL,..." labels; --namespace, --context, --cluster and --user offer what there is. Arguments are told by
 * enum cmd_args.
 *
 * The protocol is the one of cobra, which kubectl and the completion scripts speak: a candidate a line, a tab
 * and its description behind it, and last ":" with the sum of the directives below.
 *
 * Nothing is ever asked or told: the cluster gets COMPLETE_WAIT_MS to answer, credential plugins run without
 * the terminal, and what fails means fewer candidates. Answers are kept for some seconds in the cache folder;
 * when the cluster does not answer, older ones are used and it is left alone for some seconds.
 */
#ifndef WASMCTL_CLI_COMPLETE_H
#define WASMCTL_CLI_COMPLETE_H

#include "cli/cmd.h"

enum {
    COMPLETE_NO_SPACE = 2,   /* no blank after the word */
    COMPLETE_NO_FILES = 4,   /* names of files are no candidates where there are no others */
    COMPLETE_EXTENSIONS = 8, /* the candidates are extensions of files to offer */
    COMPLETE_FOLDERS = 16,
    COMPLETE_WAIT_MS = 600,  /* for one answer of the cluster */
    COMPLETE_TOTAL_MS = 900, /* for everything */
    COMPLETE_MOST = 500,     /* candidates taken from the cluster */
};

/* words: those behind the program's name; the last one is to be completed ("" when it is not begun yet). Uses
 * up c: its options become those of the words. Appends the answer to out. */
void complete_words(struct cmd_ctx *c, int nwords, char **words, bool descriptions, struct buf *out);

/* The commands __complete and __completeNoDesc: prints the answer within COMPLETE_TOTAL_MS, whatever happens.
 */
int complete_run(struct cmd_ctx *c, bool descriptions);

#endif
