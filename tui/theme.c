#include "tui/theme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define D THEME_DEFAULT_COLOUR

const char *const theme_names[] = {"default", "light", "high-contrast", "mono", NULL};

/* Blue and orange, cyan and magenta: told apart with every common kind of colour blindness. */
static const struct theme dark = {
    .roles =
        {
            [TUI_TEXT] = {D, D, 0},
            [TUI_DIM] = {245, D, 0},
            [TUI_TITLE] = {D, D, THEME_BOLD},
            [TUI_HEADER] = {250, D, THEME_BOLD},
            [TUI_BORDER] = {240, D, 0},
            [TUI_FOCUS] = {75, D, THEME_BOLD},
            [TUI_GOOD] = {75, D, 0},
            [TUI_BUSY] = {80, D, 0},
            [TUI_WARN] = {221, D, 0},
            [TUI_BAD] = {208, D, THEME_BOLD},
            [TUI_UNKNOWN] = {176, D, 0},
            [TUI_KEY] = {221, D, 0},
            [TUI_PROMPT] = {D, D, THEME_BOLD},
            [TUI_MATCH] = {16, 221, 0},
            [TUI_MARK] = {80, D, THEME_BOLD},
            [TUI_SERIES] = {75, D, 0},
            [TUI_SERIES + 1] = {221, D, 0},
            [TUI_SERIES + 2] = {80, D, 0},
            [TUI_SERIES + 3] = {176, D, 0},
            [TUI_SERIES + 4] = {150, D, 0},
            [TUI_SERIES + 5] = {216, D, 0},
        },
    .cursor = {D, 237, THEME_BOLD},
};

static const struct theme light = {
    .roles =
        {
            [TUI_TEXT] = {D, D, 0},
            [TUI_DIM] = {243, D, 0},
            [TUI_TITLE] = {D, D, THEME_BOLD},
            [TUI_HEADER] = {238, D, THEME_BOLD},
            [TUI_BORDER] = {250, D, 0},
            [TUI_FOCUS] = {25, D, THEME_BOLD},
            [TUI_GOOD] = {25, D, 0},
            [TUI_BUSY] = {30, D, 0},
            [TUI_WARN] = {94, D, 0},
            [TUI_BAD] = {166, D, THEME_BOLD},
            [TUI_UNKNOWN] = {90, D, 0},
            [TUI_KEY] = {94, D, 0},
            [TUI_PROMPT] = {D, D, THEME_BOLD},
            [TUI_MATCH] = {16, 221, 0},
            [TUI_MARK] = {30, D, THEME_BOLD},
            [TUI_SERIES] = {25, D, 0},
            [TUI_SERIES + 1] = {94, D, 0},
            [TUI_SERIES + 2] = {30, D, 0},
            [TUI_SERIES + 3] = {90, D, 0},
            [TUI_SERIES + 4] = {64, D, 0},
            [TUI_SERIES + 5] = {130, D, 0},
        },
    .cursor = {D, 254, THEME_BOLD},
};

static const struct theme contrast = {
    .roles =
        {
            [TUI_TEXT] = {15, 0, 0},
            [TUI_DIM] = {7, 0, 0},
            [TUI_TITLE] = {15, 0, THEME_BOLD},
            [TUI_HEADER] = {15, 0, THEME_BOLD | THEME_UNDERLINE},
            [TUI_BORDER] = {7, 0, 0},
            [TUI_FOCUS] = {11, 0, THEME_BOLD},
            [TUI_GOOD] = {14, 0, 0},
            [TUI_BUSY] = {15, 0, THEME_UNDERLINE},
            [TUI_WARN] = {11, 0, 0},
            [TUI_BAD] = {0, 11, THEME_BOLD},
            [TUI_UNKNOWN] = {13, 0, 0},
            [TUI_KEY] = {11, 0, THEME_BOLD},
            [TUI_PROMPT] = {15, 0, THEME_BOLD},
            [TUI_MATCH] = {0, 14, 0},
            [TUI_MARK] = {14, 0, THEME_BOLD},
            [TUI_SERIES] = {14, 0, 0},
            [TUI_SERIES + 1] = {11, 0, 0},
            [TUI_SERIES + 2] = {13, 0, 0},
            [TUI_SERIES + 3] = {15, 0, 0},
            [TUI_SERIES + 4] = {10, 0, 0},
            [TUI_SERIES + 5] = {12, 0, 0},
        },
    .cursor = {D, D, THEME_REVERSE},
};

/* No colours: what stands out does so by its attributes. */
static const struct theme mono = {
    .roles =
        {
            [TUI_TEXT] = {D, D, 0},
            [TUI_DIM] = {D, D, THEME_DIM},
            [TUI_TITLE] = {D, D, THEME_BOLD},
            [TUI_HEADER] = {D, D, THEME_BOLD},
            [TUI_BORDER] = {D, D, THEME_DIM},
            [TUI_FOCUS] = {D, D, THEME_BOLD},
            [TUI_GOOD] = {D, D, 0},
            [TUI_BUSY] = {D, D, 0},
            [TUI_WARN] = {D, D, THEME_UNDERLINE},
            [TUI_BAD] = {D, D, THEME_BOLD | THEME_UNDERLINE},
            [TUI_UNKNOWN] = {D, D, THEME_DIM},
            [TUI_KEY] = {D, D, THEME_BOLD},
            [TUI_PROMPT] = {D, D, THEME_BOLD},
            [TUI_MATCH] = {D, D, THEME_REVERSE},
            [TUI_MARK] = {D, D, THEME_BOLD},
            [TUI_SERIES] = {D, D, 0},
            [TUI_SERIES + 1] = {D, D, THEME_BOLD},
            [TUI_SERIES + 2] = {D, D, THEME_UNDERLINE},
            [TUI_SERIES + 3] = {D, D, THEME_DIM},
            [TUI_SERIES + 4] = {D, D, THEME_BOLD | THEME_UNDERLINE},
            [TUI_SERIES + 5] = {D, D, THEME_DIM | THEME_UNDERLINE},
        },
    .cursor = {D, D, THEME_REVERSE},
};

bool theme_builtin(const char *name, struct theme *ret)
{
    static const struct theme *const themes[] = {&dark, &light, &contrast, &mono};

    for (size_t i = 0; theme_names[i]; i++)
        if (streq(name, theme_names[i])) {
            *ret = *themes[i];
            return true;
        }
    return false;
}

static const char *const colour_names[] = {"black", "red",     "green", "yellow",
                                           "blue",  "magenta", "cyan",  "white"};

/* Red, green and blue of one of the 256. */
static void to_rgb(int colour, int rgb[3])
{
    static const int base[16][3] = {{0, 0, 0},       {205, 0, 0},   {0, 205, 0},   {205, 205, 0},
                                    {0, 0, 238},     {205, 0, 205}, {0, 205, 205}, {229, 229, 229},
                                    {127, 127, 127}, {255, 0, 0},   {0, 255, 0},   {255, 255, 0},
                                    {92, 92, 255},   {255, 0, 255}, {0, 255, 255}, {255, 255, 255}};

    for (int i = 0; i < 3; i++) {
        if (colour < 16) {
            rgb[i] = base[colour][i];
        } else if (colour >= 232) {
            rgb[i] = 8 + (colour - 232) * 10;
        } else {
            int step = (colour - 16) / (i == 0 ? 36 : i == 1 ? 6 : 1) % 6;
            rgb[i] = step ? 55 + step * 40 : 0;
        }
    }
}

static int nearest(const int rgb[3], int from, int to)
{
    int best = from;
    long best_distance = -1;

    for (int i = from; i < to; i++) {
        int of[3];
        long distance = 0;
        to_rgb(i, of);
        for (int k = 0; k < 3; k++)
            distance += (long)(of[k] - rgb[k]) * (of[k] - rgb[k]);
        if (best_distance < 0 || distance < best_distance) {
            best = i;
            best_distance = distance;
        }
    }
    return best;
}

int theme_colour(int colour, int colours)
{
    int rgb[3];

    if (colour < 0 || colour < colours || colours >= 256)
        return colour;
    to_rgb(colour, rgb);
    return nearest(rgb, 0, colours >= 16 ? 16 : 8);
}

static bool parse_colour(const char *word, int *ret)
{
    int64_t number;
    unsigned r, g, b;

    if (streq(word, "default")) {
        *ret = THEME_DEFAULT_COLOUR;
        return true;
    }
    for (int i = 0; i < 8; i++)
        if (streq(word, colour_names[i])) {
            *ret = i;
            return true;
        }
    if (*word == '#' && strlen(word) == 7 && strspn(word + 1, "0123456789abcdefABCDEF") == 6 &&
        sscanf(word + 1, "%2x%2x%2x", &r, &g, &b) == 3) {
        *ret = nearest((const int[]){(int)r, (int)g, (int)b}, 16, 256);
        return true;
    }
    if (!str_to_i64(word, 0, 255, &number))
        return false;
    *ret = (int)number;
    return true;
}

int theme_style_parse(const char *text, struct theme_style *ret, struct err **err)
{
    static const char *const attributes[] = {"bold", "underline", "reverse", "dim"};
    struct theme_style style = {THEME_DEFAULT_COLOUR, THEME_DEFAULT_COLOUR, 0};
    _cleanup_strv_ char **words = strv_split(text, ' ', false);
    int colours = 0;

    for (size_t i = 0; words && words[i]; i++) {
        unsigned attribute = 0;
        for (unsigned k = 0; k < 4; k++)
            if (streq(words[i], attributes[k]))
                attribute = 1u << k;
        style.attributes |= attribute;
        if (attribute)
            continue;
        if (colours == 2 || !parse_colour(words[i], colours ? &style.bg : &style.fg))
            return err_set(
                err, ERR_INVALID,
                "\"%s\": \"%s\" is no colour (0-255, a name, #rrggbb, default) and none of bold, underline, "
                "reverse, dim",
                text, words[i]);
        colours++;
    }
    *ret = style;
    return 0;
}
