/* Put before the C library's own by LD_PRELOAD: the kernel's word about its clock, as it is where an NTP daemon keeps that. A test
   may not discipline the clock of the machine that it runs on. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

int adjtimex(struct timex *told)
{
    if (syscall(SYS_adjtimex, told) < 0)
        return -1;
    told->status &= ~(STA_UNSYNC | STA_CLOCKERR);
    told->maxerror = 12000; /* microseconds */
    return TIME_OK;
}
