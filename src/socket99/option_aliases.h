/*
** option_aliases.h: constants of options that a system's headers have under
** another name, or not yet. option_constants.h covers those that they lack.
*/
#ifndef SOCKET99_OPTION_ALIASES_H
#define SOCKET99_OPTION_ALIASES_H

#include "option_table.h"

/* Two names for holding back partial segments. */
#if defined(TCP_NOPUSH) && !defined(TCP_CORK)
#define TCP_CORK TCP_NOPUSH
#elif defined(TCP_CORK) && !defined(TCP_NOPUSH)
#define TCP_NOPUSH TCP_CORK
#endif

/* Two names for the idle time before the first probe. */
#if defined(TCP_KEEPALIVE) && !defined(TCP_KEEPIDLE)
#define TCP_KEEPIDLE TCP_KEEPALIVE
#elif defined(TCP_KEEPIDLE) && !defined(TCP_KEEPALIVE)
#define TCP_KEEPALIVE TCP_KEEPIDLE
#endif

/* macOS counts SO_LINGER in clock ticks; other systems count seconds. */
#ifndef SO_LINGER_SEC
#define SO_LINGER_SEC SO_LINGER
#endif

/* Numbers that are the same on every architecture of Linux, for C libraries whose
** headers are older than the kernel's. */
#if defined(__linux__)
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef IP_PROTOCOL
#define IP_PROTOCOL 52
#endif
#ifndef IPV6_FLOWINFO
#define IPV6_FLOWINFO 11
#endif
#ifndef IPV6_FLOWINFO_SEND
#define IPV6_FLOWINFO_SEND 33
#endif
#ifndef IPV6_FLOWLABEL_MGR
#define IPV6_FLOWLABEL_MGR 32
#endif
#ifndef TCP_AO_ADD_KEY
#define TCP_AO_ADD_KEY 38
#endif
#ifndef TCP_AO_DEL_KEY
#define TCP_AO_DEL_KEY 39
#endif
#ifndef TCP_AO_INFO
#define TCP_AO_INFO 40
#endif
#ifndef TCP_AO_REPAIR
#define TCP_AO_REPAIR 42
#endif
#ifndef TCP_IS_MPTCP
#define TCP_IS_MPTCP 43
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif
#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45
#endif
#ifndef TCP_DELACK_MAX_US
#define TCP_DELACK_MAX_US 46
#endif
#endif

#endif
