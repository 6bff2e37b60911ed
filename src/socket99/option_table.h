/*
** option_table.h: the table of options, and how to find one by name.
*/
#ifndef SOCKET99_OPTION_TABLE_H
#define SOCKET99_OPTION_TABLE_H

#include "internal.h"

/*
** Linux takes options of IPPROTO_IP on an AF_INET6 socket, for the IPv4 traffic
** of a dual-stack one. The BSDs refuse them.
*/
#if defined(__linux__)
#define S99_DUAL_LEVELS 1
#else
#define S99_DUAL_LEVELS 0
#endif

/*
** IPv4 groups, with the interface's index. On systems without ip_mreqn, an
** address in 0.0.0.0/8 stands for an index (RFC 1724).
*/
#if defined(__linux__) || defined(__FreeBSD__) || defined(__APPLE__) || defined(__OpenBSD__)
typedef struct ip_mreqn s99_ipv4_member;
typedef struct ip_mreqn s99_ipv4_interface;
#define S99_SET_INTERFACE(member, number, address)                                                 \
  ((member)->imr_ifindex = (int)(number), (member)->imr_address = (address))
#define S99_INTERFACE_OF(member) (*(member))
#else
typedef struct ip_mreq s99_ipv4_member;
typedef struct in_addr s99_ipv4_interface;
#define S99_SET_INTERFACE(member, number, address)                                                 \
  ((member)->imr_interface.s_addr = (address).s_addr ? (address).s_addr : htonl(number))
#define S99_INTERFACE_OF(member) ((member)->imr_interface)
#endif

/* OpenBSD lacks RFC 3678. The code compiles with this, and the kernel refuses. */
#if !defined(MCAST_JOIN_SOURCE_GROUP)
struct group_source_req {
  uint32_t gsr_interface;
  struct sockaddr_storage gsr_group, gsr_source;
};
#endif

/* Socket addresses carry their length on some systems (RFC 3493, 3.4). */
#if defined(SIN6_LEN)
#define S99_SET_LENGTH(address, size) ((address)->ss_len = (unsigned char)(size))
#else
#define S99_SET_LENGTH(address, size) ((void)(address))
#endif

/* Instead of a constant: this system has none; no system has one. */
#define S99_LACKING (-1)
#define S99_NONE (-2)

/* The prefixes of option names. */
enum s99_option_prefix {
  S99_SO = 1,
  S99_TCP = 2,
  S99_UDP = 4,
  S99_IP = 8,
  S99_IPV6 = 16,
  S99_MCAST = 32
};

/* The layouts of an option's value in memory. */
enum s99_option_form {
  S99_FORM_FLAG,           /* int, 0 or 1 */
  S99_FORM_ACTION,         /* int; setting it acts, and unsetting it does nothing */
  S99_FORM_INT,            /* int */
  S99_FORM_UINT32,         /* unsigned, 32 bits */
  S99_FORM_UINT64,         /* unsigned, up to 64 bits */
  S99_FORM_TOS,            /* a byte as int, or -1: the system's default */
  S99_FORM_MULTICAST_TTL,  /* the same; IPv4 wants an unsigned char */
  S99_FORM_MULTICAST_LOOP, /* a flag; IPv4 wants an unsigned char */
  S99_FORM_LINGER,         /* struct linger */
  S99_FORM_TIMEOUT,        /* struct timeval */
  S99_FORM_TEXT,           /* a short name */
  S99_FORM_STRUCT,         /* a structure that belongs to the option */
  S99_FORM_FILTER,         /* struct sock_fprog in, instructions out */
  S99_FORM_MULTICAST_IF,   /* an interface: address or index */
  S99_FORM_UNICAST_IF,     /* an interface: index in network byte order */
  S99_FORM_MEMBER,         /* a multicast group */
  S99_FORM_SOURCE          /* a multicast group and a source */
};

/* IP_RETOPTS is a flag on Linux; the BSDs take and return the options themselves. */
#if defined(__linux__)
#define S99_FORM_RETOPTS S99_FORM_FLAG
#else
#define S99_FORM_RETOPTS S99_FORM_STRUCT
#endif

/*
** One option under one name: `id` at `level`, or `id6` at IPPROTO_IPV6. If it has
** both, the socket's family decides.
*/
struct s99_option_row {
  uint16_t name;          /* offset of the text: lower case, without prefix */
  uint16_t label, label6; /* offsets of the constants' names */
  unsigned char prefixes;
  unsigned char form;
  int level, id, id6;
};

/* The constant of a row on one socket. */
struct s99_option_target {
  int level, id;
  const char *label;
};

/* The options that share a name. */
#define S99_MAX_NAMESAKES 4
struct s99_namesakes {
  const struct s99_option_row *row[S99_MAX_NAMESAKES];
  size_t count;
};

/* False if no system has such an option. */
S99_HIDDEN bool s99_option_find(const char *name, struct s99_namesakes *found);

/* The first row that fits the socket, or the first of all. Type or family 0: not known. */
S99_HIDDEN const struct s99_option_row *s99_option_choose(const struct s99_namesakes *found,
                                                          int type, int family);

/* Whether both families have the option. */
S99_HIDDEN bool s99_option_is_twin(const struct s99_option_row *row);
S99_HIDDEN struct s99_option_target s99_option_target(const struct s99_option_row *row, int family);

#endif
