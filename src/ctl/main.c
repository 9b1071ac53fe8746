/* ctl/main.c: submitctl, the operator's tool. Everything it does is in the library beside it. */
#include <stdio.h>

#include "ctl/command.h"

int main(int argc, char **argv)
{
    return ctl_main(argc, argv, stdout, stderr);
}
