---@meta sock99

-- Definitions for editors, in LuaCATS, by scripts/definitions.lua (make definitions).
-- On package.path this file would be found in place of the module, so it must not
-- get there.

---One call opens any socket.
---
---Functions that fail return nil, a message, and a number of `errno` by which a
---program can tell errors apart; those that open a socket add the stage that
---failed. Mistakes in the program itself (a value of the wrong type, an unknown
---field) raise an error; anything that may come from user input is returned.
---
---A socket object has the methods of `socket` and, depending on its type, those of
---`stream` or `datagram`.
---@class sock99
---@field _VERSION string Name and version: "sock99 1.0.0".
---@field errno sock99.errno
local sock99 = {}

---A client's local address.
---@class sock99.address
---@field host? string numeric
---@field port? integer|string
---@field path? string

---The socket to open. Fields may be inherited through `__index`.
---@class sock99.config
---@field host? string name or numeric address to connect to, or to listen on
---@field port? integer|string 0 to 65535, or a service's name; 0 or missing with `server`: any free port
---@field path? string of a Unix domain socket; a leading `"\0"` makes it an abstract name
---@field ipv4? string numeric IPv4 address, in place of `host`
---@field ipv6? string numeric IPv6 address, in place of `host`
---@field family? 'inet'|'inet6'|'unix' only addresses of this family
---@field connect? boolean false: only create the socket, set its options and bind it
---@field server? boolean bind and listen; a datagram server only binds
---@field datagram? boolean datagrams instead of a stream
---@field seqpacket? boolean SOCK_SEQPACKET, for Unix domain sockets
---@field nonblocking? boolean set O_NONBLOCK on the descriptor; an object never waits
---@field backlog? integer connections that may wait for a stream server; SOMAXCONN if 0 or missing
---@field bind? sock99.address a client's local address
---@field sockopts? sock99.options options to set before the socket is bound or connected
---@field mode? string|integer permission bits of a Unix server's file, in octal digits: `'0660'`
---@field unlink? boolean replace a Unix server's socket file if nobody listens on it
---@field cloexec? boolean close-on-exec; true by default
---@field timeout? number seconds for the whole opening, including the name lookup and all attempts; more than 0
---@field attempt_delay? number seconds before the next address is tried in parallel with an attempt, 0.01 to 2; 0.25 by default

---An address found by `resolve`.
---@class sock99.found
---@field host string numeric
---@field port integer
---@field family 'inet'|'inet6'

---The name to look up: one of `host`, `ipv4`, `ipv6`.
---@class sock99.lookup
---@field host? string
---@field ipv4? string
---@field ipv6? string
---@field port? integer|string
---@field family? 'inet'|'inet6'
---@field datagram? boolean
---@field timeout? number seconds; more than 0

---A multicast group to join or to leave.
---@class sock99.membership
---@field group string numeric address
---@field interface? string|integer its name, its index, or, for IPv4, an address of it
---@field source? string numeric address; of source-specific options

---The value of an option.
---@alias sock99.option_value
---| boolean
---| number
---| string
---| sock99.membership # to join or to leave
---| sock99.membership[]

---A datagram with its source or destination.
---@class sock99.packet
---@field [1] string data
---@field [2] string? numeric host; the path for a Unix socket
---@field [3] integer? port
---@field truncated? integer the whole length of a datagram that was truncated because another reader had taken the one before it

---The sockets for `pair` to make.
---@class sock99.pair_config
---@field datagram? boolean
---@field seqpacket? boolean
---@field nonblocking? boolean neither object ever waits
---@field cloexec? boolean close-on-exec; true by default

---A socket passed by systemd.
---@class sock99.passed
---@field name string the FileDescriptorName of the socket unit, or "unknown" if it has none
---@field fd integer
---@field socket? sock99.any the object that owns the descriptor; nil if that is not a TCP, UDP or Unix domain socket

---The process at the other end.
---@class sock99.peercred
---@field pid integer -1 if unknown: the process is in another PID namespace, or the system does not report it
---@field uid integer
---@field gid integer

---The same to be asked for: `{level, option, size}`.
---@class sock99.raw_name
---@field [1] integer level
---@field [2] integer option
---@field [3] integer? bytes of the value

---An option that has no name: `{level, option, value}`.
---@class sock99.raw_option
---@field [1] integer level
---@field [2] integer option
---@field [3] integer|string value

---An entry for `select`.
---@alias sock99.selectable
---| integer
---| sock99.any
---| sock99.opening # to be listed among the readers
---| {getfd: fun(self: table): integer} # any object with `getfd`

---The stage that failed: the fourth result of functions that open.
---@alias sock99.stage
---| 'configuration' # a value out of range, or fields that contradict each other
---| 'getaddrinfo' # the name or the service was not found; the code is an EAI_ code
---| 'socket'
---| 'setsockopt'
---| 'bind'
---| 'listen'
---| 'connect'
---| 'fcntl'
---| 'snprintf'
---| 'timeout' # the deadline passed
---| 'unknown' # memory or descriptors ran out

---Error numbers by name, and names by number.
---
---The `code` that a failed call returns is one of these numbers: an EAI_ code for
---the stage "getaddrinfo", otherwise an errno.
---@class sock99.errno
---@field [string] integer
---@field [integer] string

---Options by name (all of them), in lower or upper case, with or
---without the prefix of their constant; and entries `{level, option, value}`.
---@class sock99.options
---@field [integer] sock99.raw_option
---@field [string] sock99.option_value
---@field ['2292dstopts'] boolean|nil IPV6_2292DSTOPTS
---@field ['2292hoplimit'] boolean|nil IPV6_2292HOPLIMIT
---@field ['2292hopopts'] boolean|nil IPV6_2292HOPOPTS
---@field ['2292pktinfo'] boolean|nil IPV6_2292PKTINFO
---@field ['2292pktoptions'] string|nil IPV6_2292PKTOPTIONS
---@field ['2292rthdr'] boolean|nil IPV6_2292RTHDR
---@field acceptconn boolean|nil SO_ACCEPTCONN
---@field acceptfilter string|nil SO_ACCEPTFILTER
---@field add_membership sock99.membership|sock99.membership[]|nil IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP
---@field add_source_membership sock99.membership|sock99.membership[]|nil MCAST_JOIN_SOURCE_GROUP
---@field addr_preferences integer|nil IPV6_ADDR_PREFERENCES
---@field addrform integer|nil IPV6_ADDRFORM
---@field ao_add_key string|nil TCP_AO_ADD_KEY
---@field ao_del_key string|nil TCP_AO_DEL_KEY
---@field ao_info string|nil TCP_AO_INFO
---@field ao_repair string|nil TCP_AO_REPAIR
---@field attach_bpf integer|nil SO_ATTACH_BPF
---@field attach_filter string|nil SO_ATTACH_FILTER
---@field attach_reuseport_cbpf string|nil SO_ATTACH_REUSEPORT_CBPF
---@field attach_reuseport_ebpf integer|nil SO_ATTACH_REUSEPORT_EBPF
---@field autoflowlabel boolean|nil IPV6_AUTOFLOWLABEL
---@field bind_address_no_port boolean|nil IP_BIND_ADDRESS_NO_PORT
---@field bindany boolean|nil SO_BINDANY, IP_BINDANY, IPV6_BINDANY
---@field bindtodevice string|nil SO_BINDTODEVICE
---@field bindtoifindex integer|nil SO_BINDTOIFINDEX
---@field bintime boolean|nil SO_BINTIME
---@field block_source sock99.membership|sock99.membership[]|nil MCAST_BLOCK_SOURCE
---@field bound_if integer|nil IP_BOUND_IF, IPV6_BOUND_IF
---@field bpf_extensions integer|nil SO_BPF_EXTENSIONS
---@field broadcast boolean|nil SO_BROADCAST
---@field bsdcompat boolean|nil SO_BSDCOMPAT
---@field buf_lock integer|nil SO_BUF_LOCK
---@field busy_poll integer|nil SO_BUSY_POLL
---@field busy_poll_budget integer|nil SO_BUSY_POLL_BUDGET
---@field cc_info string|nil TCP_CC_INFO
---@field checksum boolean|integer|nil IP_CHECKSUM, IPV6_CHECKSUM
---@field cnx_advice integer|nil SO_CNX_ADVICE
---@field congestion string|nil TCP_CONGESTION
---@field connection_info string|nil TCP_CONNECTION_INFO
---@field connectiontimeout integer|nil TCP_CONNECTIONTIMEOUT
---@field cookie integer|string|nil SO_COOKIE
---@field cork boolean|nil TCP_CORK, UDP_CORK
---@field debug boolean|nil SO_DEBUG
---@field defer_accept integer|nil TCP_DEFER_ACCEPT
---@field delack_max_us integer|nil TCP_DELACK_MAX_US
---@field detach_bpf boolean|nil SO_DETACH_BPF
---@field detach_filter boolean|nil SO_DETACH_FILTER
---@field detach_reuseport_bpf boolean|nil SO_DETACH_REUSEPORT_BPF
---@field domain integer|nil SO_DOMAIN
---@field dontfrag boolean|nil IP_DONTFRAG, IPV6_DONTFRAG
---@field dontroute boolean|nil SO_DONTROUTE
---@field donttrunc boolean|nil SO_DONTTRUNC
---@field drop_membership sock99.membership|sock99.membership[]|nil IP_DROP_MEMBERSHIP, IPV6_LEAVE_GROUP
---@field drop_source_membership sock99.membership|sock99.membership[]|nil MCAST_LEAVE_SOURCE_GROUP
---@field dstopts string|nil IPV6_DSTOPTS
---@field enable_ecn boolean|nil TCP_ENABLE_ECN
---@field encap integer|nil UDP_ENCAP
---@field error integer|nil SO_ERROR
---@field fastopen integer|nil TCP_FASTOPEN
---@field fastopen_connect boolean|nil TCP_FASTOPEN_CONNECT
---@field fastopen_key string|nil TCP_FASTOPEN_KEY
---@field fastopen_no_cookie boolean|nil TCP_FASTOPEN_NO_COOKIE
---@field flowinfo boolean|nil IPV6_FLOWINFO
---@field flowinfo_send boolean|nil IPV6_FLOWINFO_SEND
---@field flowlabel_mgr string|nil IPV6_FLOWLABEL_MGR
---@field freebind boolean|nil IP_FREEBIND, IPV6_FREEBIND
---@field function_blk string|nil TCP_FUNCTION_BLK
---@field get_filter string|nil SO_GET_FILTER
---@field gro boolean|nil UDP_GRO
---@field hdrincl boolean|nil IP_HDRINCL, IPV6_HDRINCL
---@field hoplimit boolean|nil IPV6_HOPLIMIT
---@field hopopts string|nil IPV6_HOPOPTS
---@field incoming_cpu integer|nil SO_INCOMING_CPU
---@field incoming_napi_id integer|nil SO_INCOMING_NAPI_ID
---@field info string|nil TCP_INFO
---@field inq boolean|nil TCP_INQ, SO_INQ
---@field ipsec_policy string|nil IP_IPSEC_POLICY, IPV6_IPSEC_POLICY
---@field is_mptcp boolean|nil TCP_IS_MPTCP
---@field join_anycast sock99.membership|sock99.membership[]|nil IPV6_JOIN_ANYCAST
---@field join_group sock99.membership|sock99.membership[]|nil IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP
---@field join_source_group sock99.membership|sock99.membership[]|nil MCAST_JOIN_SOURCE_GROUP
---@field keepalive boolean|integer|nil SO_KEEPALIVE, TCP_KEEPALIVE
---@field keepcnt integer|nil TCP_KEEPCNT
---@field keepidle integer|nil TCP_KEEPIDLE
---@field keepinit integer|nil TCP_KEEPINIT
---@field keepintvl integer|nil TCP_KEEPINTVL
---@field leave_anycast sock99.membership|sock99.membership[]|nil IPV6_LEAVE_ANYCAST
---@field leave_group sock99.membership|sock99.membership[]|nil IP_DROP_MEMBERSHIP, IPV6_LEAVE_GROUP
---@field leave_source_group sock99.membership|sock99.membership[]|nil MCAST_LEAVE_SOURCE_GROUP
---@field linger integer|false|nil SO_LINGER
---@field linger2 integer|nil TCP_LINGER2
---@field linger_sec integer|false|nil SO_LINGER_SEC
---@field listenincqlen integer|nil SO_LISTENINCQLEN
---@field listenqlen integer|nil SO_LISTENQLEN
---@field listenqlimit integer|nil SO_LISTENQLIMIT
---@field local_port_range integer|nil IP_LOCAL_PORT_RANGE
---@field lock_filter boolean|nil SO_LOCK_FILTER
---@field mark integer|nil SO_MARK
---@field max_pacing_rate integer|string|nil SO_MAX_PACING_RATE
---@field maxseg integer|nil TCP_MAXSEG
---@field md5sig string|nil TCP_MD5SIG
---@field md5sig_ext string|nil TCP_MD5SIG_EXT
---@field meminfo string|nil SO_MEMINFO
---@field minhopcount integer|nil IP_MINTTL, IPV6_MINHOPCOUNT
---@field minttl integer|nil IP_MINTTL, IPV6_MINHOPCOUNT
---@field mtu integer|nil IP_MTU, IPV6_MTU
---@field mtu_discover integer|nil IP_MTU_DISCOVER, IPV6_MTU_DISCOVER
---@field multicast_all boolean|nil IP_MULTICAST_ALL, IPV6_MULTICAST_ALL
---@field multicast_hops integer|nil IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS
---@field multicast_if string|integer|nil IP_MULTICAST_IF, IPV6_MULTICAST_IF
---@field multicast_loop boolean|nil IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP
---@field multicast_ttl integer|nil IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS
---@field net_service_type integer|nil SO_NET_SERVICE_TYPE
---@field netns_cookie integer|string|nil SO_NETNS_COOKIE
---@field nexthop string|nil IPV6_NEXTHOP
---@field no_check boolean|nil SO_NO_CHECK
---@field no_check6_rx boolean|nil UDP_NO_CHECK6_RX
---@field no_check6_tx boolean|nil UDP_NO_CHECK6_TX
---@field noaddrerr boolean|nil SO_NOADDRERR
---@field nocksum boolean|nil UDP_NOCKSUM
---@field nodefrag boolean|nil IP_NODEFRAG
---@field nodelay boolean|nil TCP_NODELAY
---@field nofcs boolean|nil SO_NOFCS
---@field noopt boolean|nil TCP_NOOPT
---@field nopush boolean|nil TCP_NOPUSH
---@field nosigpipe boolean|nil SO_NOSIGPIPE
---@field notsent_lowat integer|nil TCP_NOTSENT_LOWAT
---@field nread integer|nil SO_NREAD
---@field nwrite integer|nil SO_NWRITE
---@field onesbcast boolean|nil IP_ONESBCAST
---@field oobinline boolean|nil SO_OOBINLINE
---@field options string|nil IP_OPTIONS
---@field origdstaddr boolean|nil IP_ORIGDSTADDR, IPV6_ORIGDSTADDR
---@field passcred boolean|nil SO_PASSCRED
---@field passpidfd boolean|nil SO_PASSPIDFD
---@field passrights boolean|nil SO_PASSRIGHTS
---@field passsec boolean|nil SO_PASSSEC, IP_PASSSEC
---@field pathmtu string|nil IPV6_PATHMTU
---@field peek_off integer|nil SO_PEEK_OFF
---@field peercred string|nil SO_PEERCRED
---@field peergroups string|nil SO_PEERGROUPS
---@field peername string|nil SO_PEERNAME
---@field peerpidfd integer|nil SO_PEERPIDFD
---@field peersec string|nil SO_PEERSEC
---@field pktinfo boolean|string|nil IP_PKTINFO, IPV6_RECVPKTINFO, IPV6_PKTINFO
---@field pktoptions string|nil IP_PKTOPTIONS
---@field pmtudisc integer|nil IP_MTU_DISCOVER, IPV6_MTU_DISCOVER
---@field portrange integer|nil IP_PORTRANGE, IPV6_PORTRANGE
---@field prefer_busy_poll boolean|nil SO_PREFER_BUSY_POLL
---@field priority integer|nil SO_PRIORITY
---@field protocol integer|nil SO_PROTOCOL, IP_PROTOCOL
---@field queue_seq integer|nil TCP_QUEUE_SEQ
---@field quickack boolean|nil TCP_QUICKACK
---@field randomport boolean|nil SO_RANDOMPORT
---@field rcvbuf integer|nil SO_RCVBUF
---@field rcvbufforce integer|nil SO_RCVBUFFORCE
---@field rcvlowat integer|nil SO_RCVLOWAT
---@field rcvmark boolean|nil SO_RCVMARK
---@field rcvpriority boolean|nil SO_RCVPRIORITY
---@field rcvtimeo number|false|nil SO_RCVTIMEO
---@field recvdstaddr boolean|nil IP_RECVDSTADDR
---@field recvdstopts boolean|nil IPV6_RECVDSTOPTS
---@field recverr boolean|nil IP_RECVERR, IPV6_RECVERR
---@field recverr_rfc4884 boolean|nil IP_RECVERR_RFC4884, IPV6_RECVERR_RFC4884
---@field recvfragsize boolean|nil IP_RECVFRAGSIZE, IPV6_RECVFRAGSIZE
---@field recvhoplimit boolean|nil IP_RECVTTL, IPV6_RECVHOPLIMIT
---@field recvhopopts boolean|nil IPV6_RECVHOPOPTS
---@field recvif boolean|nil IP_RECVIF
---@field recvopts boolean|nil IP_RECVOPTS
---@field recvorigdstaddr boolean|nil IP_RECVORIGDSTADDR, IPV6_RECVORIGDSTADDR
---@field recvpathmtu boolean|nil IPV6_RECVPATHMTU
---@field recvpktinfo boolean|nil IP_PKTINFO, IPV6_RECVPKTINFO
---@field recvretopts boolean|nil IP_RECVRETOPTS
---@field recvrthdr boolean|nil IPV6_RECVRTHDR
---@field recvtclass boolean|nil IP_RECVTOS, IPV6_RECVTCLASS
---@field recvtos boolean|nil IP_RECVTOS, IPV6_RECVTCLASS
---@field recvttl boolean|nil IP_RECVTTL, IPV6_RECVHOPLIMIT
---@field repair integer|nil TCP_REPAIR
---@field repair_options string|nil TCP_REPAIR_OPTIONS
---@field repair_queue integer|nil TCP_REPAIR_QUEUE
---@field reserve_mem integer|nil SO_RESERVE_MEM
---@field retopts boolean|string|nil IP_RETOPTS
---@field reuseaddr boolean|nil SO_REUSEADDR
---@field reuseport boolean|nil SO_REUSEPORT
---@field reuseport_lb boolean|nil SO_REUSEPORT_LB
---@field reuseshareuid boolean|nil SO_REUSESHAREUID
---@field router_alert integer|nil IP_ROUTER_ALERT, IPV6_ROUTER_ALERT
---@field router_alert_isolate boolean|nil IPV6_ROUTER_ALERT_ISOLATE
---@field rtable integer|nil SO_RTABLE
---@field rthdr string|nil IPV6_RTHDR
---@field rthdrdstopts string|nil IPV6_RTHDRDSTOPTS
---@field rto_max_ms integer|nil TCP_RTO_MAX_MS
---@field rto_min_us integer|nil TCP_RTO_MIN_US
---@field rxdstopts string|nil IPV6_RXDSTOPTS
---@field rxhopopts string|nil IPV6_RXHOPOPTS
---@field rxq_ovfl boolean|nil SO_RXQ_OVFL
---@field rxt_conndroptime integer|nil TCP_RXT_CONNDROPTIME
---@field rxt_findrop boolean|nil TCP_RXT_FINDROP
---@field sack_enable boolean|nil TCP_SACK_ENABLE
---@field save_syn integer|nil TCP_SAVE_SYN
---@field saved_syn string|nil TCP_SAVED_SYN
---@field segment integer|nil UDP_SEGMENT
---@field select_err_queue boolean|nil SO_SELECT_ERR_QUEUE
---@field sendmoreacks boolean|nil TCP_SENDMOREACKS
---@field setfib integer|nil SO_SETFIB
---@field sndbuf integer|nil SO_SNDBUF
---@field sndbufforce integer|nil SO_SNDBUFFORCE
---@field sndlowat integer|nil SO_SNDLOWAT
---@field sndtimeo number|false|nil SO_SNDTIMEO
---@field syncnt integer|nil TCP_SYNCNT
---@field tclass integer|nil IP_TOS, IPV6_TCLASS
---@field thin_dupack boolean|nil TCP_THIN_DUPACK
---@field thin_linear_timeouts boolean|nil TCP_THIN_LINEAR_TIMEOUTS
---@field timestamp boolean|integer|nil SO_TIMESTAMP, TCP_TIMESTAMP
---@field timestamping integer|nil SO_TIMESTAMPING
---@field timestampns boolean|nil SO_TIMESTAMPNS
---@field tos integer|nil IP_TOS, IPV6_TCLASS
---@field transparent boolean|nil IP_TRANSPARENT, IPV6_TRANSPARENT
---@field ts_clock integer|nil SO_TS_CLOCK
---@field ttl integer|nil IP_TTL, IPV6_UNICAST_HOPS
---@field tx_delay integer|nil TCP_TX_DELAY
---@field txrehash integer|nil SO_TXREHASH
---@field txtime string|nil SO_TXTIME
---@field type integer|nil SO_TYPE
---@field ulp string|nil TCP_ULP
---@field unblock_source sock99.membership|sock99.membership[]|nil MCAST_UNBLOCK_SOURCE
---@field unicast_hops integer|nil IP_TTL, IPV6_UNICAST_HOPS
---@field unicast_if string|integer|nil IP_UNICAST_IF, IPV6_UNICAST_IF
---@field use_min_mtu integer|nil IPV6_USE_MIN_MTU
---@field useloopback boolean|nil SO_USELOOPBACK
---@field user_cookie integer|nil SO_USER_COOKIE
---@field user_timeout integer|nil TCP_USER_TIMEOUT
---@field v6only boolean|nil IPV6_V6ONLY
---@field wifi_status boolean|nil SO_WIFI_STATUS
---@field window_clamp integer|nil TCP_WINDOW_CLAMP
---@field xfrm_policy string|nil IP_XFRM_POLICY, IPV6_XFRM_POLICY
---@field zerocopy boolean|nil SO_ZEROCOPY
---@field zerocopy_receive string|nil TCP_ZEROCOPY_RECEIVE

---An opening, as `start` returns it.
---@class sock99.opening
local opening = {}

---@alias sock99.any sock99.stream|sock99.datagram

---A socket object: the methods that all have.
---
---After `close`, `detach` and `setfd(-1)` methods return nil and "closed", except
---those that need nothing from the system. Calling a method that does not suit the
---object's class raises an error.
---@class sock99.socket
---@field class 'tcp{master}'|'tcp{client}'|'tcp{server}'|'udp{connected}'|'udp{unconnected}' The current class of the object.
local socket = {}

---Stream sockets: TCP, Unix streams, and SOCK_SEQPACKET, whose messages `send` and
---`receive` pass whole.
---
---An object's `class` determines which methods it allows: `"tcp{master}"` is neither
---connected nor listening, `"tcp{client}"` is connected, `"tcp{server}"` listens.
---Unix sockets use the same class names.
---@class sock99.stream: sock99.socket
local stream = {}

---Datagram sockets: UDP and Unix domain.
---
---A message is sent and received whole. An object with a peer has the class
---`"udp{connected}"` and reports errors from the network; one without has the class
---`"udp{unconnected}"`. Unix sockets use the same class names.
---@class sock99.datagram: sock99.socket
local datagram = {}

---Receive a whole datagram of any size.
---@param max? integer at most this many bytes; the rest is dropped
---@return string? # the datagram; "" is an empty datagram, not the end
---@return 'truncated'|string|nil # if it was longer than `max`; on failure "timeout", "closed", or another error
---@return integer? # its whole length in that case; on failure errno
function datagram:receive(max) end

---Receive a datagram and the address of its sender.
---@param max? integer at most this many bytes; the rest is dropped
---@return string? # the datagram
---@return string # the sender's numeric address; for a Unix socket its path, or "" if it has none; on failure "timeout", "closed", or another error
---@return integer? # the sender's port; nil for a Unix socket; on failure errno
---@return 'truncated'? # if the datagram was longer than `max`
---@return integer? # its whole length in that case
function datagram:receivefrom(max) end

---Receive many datagrams: wait for the first, then add all that are available.
---
---Over IP this is one system call.
---@param max? integer how many at most; a call never returns more than 64 (default: 64)
---@return (string|sock99.packet)[]|nil # strings if the object is connected
---@return string? message "timeout", "closed", or another error
---@return integer? code errno
function datagram:receivemany(max) end

---Send a datagram to the peer, whole or not at all.
---@param data string|number|(string|number)[] the datagram; a list of strings and numbers is joined into one
---@param i? integer the first byte to send, as in `string.sub` (default: 1)
---@param j? integer the last one (default: -1)
---@return integer? # index of the last byte sent; without `i`, this is the number of bytes
---@return string? message "timeout", "closed", or another error; an error that an earlier datagram caused ("Connection refused") is reported here or by `receive`
---@return integer? code errno
function datagram:send(data, i, j) end

---Send many datagrams, 64 of them in one system call.
---@param list (string|sock99.packet)[] as `receivemany` returns it; an entry without an address is sent to the peer
---@return integer? # how many were sent: all of them
---@return string? message "timeout", "closed", or the error of the first one that was not sent
---@return integer? partial how many were sent
---@return integer? code errno
function datagram:sendmany(list) end

---Send a datagram to an address, whole or not at all.
---@param data string|number the datagram
---@param host string a numeric address or a name; the path for a Unix socket
---@param port? integer|string not for a Unix socket
---@return integer? # the number of bytes sent
---@return string? message "timeout", "closed", or another error
---@return integer? code errno, or the EAI_ code for the stage "getaddrinfo"
---@return string? # the stage: "getaddrinfo", "sendto", "timeout", "configuration"
function datagram:sendto(data, host, port) end

---Connect to a peer, or disconnect from it.
---
---The peer becomes the destination of `send`, and only datagrams from it are
---received. So use `sendto` for a broadcast or multicast address: answers come from
---other addresses. With "*", a port chosen by the system may be lost.
---@param host string a numeric address or a name; the path for a Unix socket; "*" to disconnect
---@param port? integer|string not for a Unix socket
---@return 1?
---@return string? message "timeout", "closed", or another error; the peer is unchanged
---@return integer? code errno, or the EAI_ code for the stage "getaddrinfo"
---@return string? # the stage: "getaddrinfo", "connect", "timeout", "configuration"
function datagram:setpeername(host, port) end

---Bind the object to a local address.
---@param host string a numeric address, a name, or "*"; the path for a Unix socket
---@param port? integer|string 0: any free port (default: 0)
---@return 1?
---@return string? message the error
---@return integer? code errno, or the EAI_ code for the stage "getaddrinfo"
---@return string? # the stage: "getaddrinfo", "bind", "timeout", "configuration"
function datagram:setsockname(host, port) end

---Cancel the opening in any state. Also `__gc` and `__close`.
function opening:cancel() end

---The event to watch `pollfd` for.
---@return 'r'
function opening:events() end

---The descriptor to wait for: readable whenever a step would make progress.
---@return integer # the descriptor, the same from `start` to `cancel`; -1 afterwards
function opening:pollfd() end

---Continue as far as possible without blocking.
---@return sock99.any|false|nil # the object; the opening has succeeded; or not yet done
---@return string? message the stage that failed, the address or option, and the reason
---@return integer? code errno, or the EAI_ code of the stage "getaddrinfo"; EALREADY after the final result, ECANCELED after `cancel`
---@return sock99.stage? stage
function opening:step() end

---The time until the next step is due if `pollfd` is not watched; a hint.
---@return number? # seconds, or nil if it depends on the network alone
function opening:timeout() end

---Close a raw descriptor.
---@param fd integer the descriptor
---@return true?
---@return string? message the error
---@return integer? code errno
function sock99.close(fd) end

---Seconds since the Epoch, with a fraction.
---@return number
function sock99.gettime() end

---Get the sockets passed by systemd, or by another program with its protocol.
---
---They become close-on-exec, and the variables LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES and
---LISTEN_PIDFDID are removed from the environment, so child processes do not see them and
---a second call returns an empty list.
---@return sock99.passed[]
function sock99.listen_fds() end

---Open the socket that a table describes.
---
---Mistakes in the program (no table, an unknown field, a field of the wrong type, a
---fraction in place of an integer) raise an error; all other failures are returned.
---@param t sock99.config the socket to open
---@return integer? # the file descriptor, which the caller must close
---@return string? message the stage that failed, the address or option, and the reason
---@return integer? code errno, or the EAI_ code of the stage "getaddrinfo"
---@return sock99.stage? stage
function sock99.open(t) end

---Create two Unix domain sockets that are connected to each other.
---@param t? sock99.pair_config
---@return sock99.any? # one end
---@return sock99.any|string # the other; on failure the error
---@return integer? code errno
---@return sock99.stage? stage
function sock99.pair(t) end

---Look up the addresses of a name, without opening anything.
---@param t sock99.lookup the name to look up
---@return sock99.found[]? # the addresses, in the system's order
---@return string? message the error
---@return integer? code errno, or the EAI_ code of the stage "getaddrinfo"
---@return sock99.stage? stage
function sock99.resolve(t) end

---Wait until any of the given sockets is ready for reading or writing.
---
---An entry is a socket object, a descriptor, or any object with `getfd` (and `dirty`,
---which reports buffered input) or with `pollfd`, such as an opening, which is listed
---among the readers. Objects with a negative descriptor are skipped. An object with an
---unreported error, or whose stream has ended, is ready. This call also continues a
---connect to a name; the object is ready for writing once it is connected.
---@param readers? sock99.selectable[]
---@param writers? sock99.selectable[]
---@param timeout? number seconds; nil or negative: no limit; 0: do not wait
---@return table # the ready readers: a list that also maps each object to its index
---@return table # the ready writers, likewise
---@return 'timeout'? # if none is ready
function sock99.select(readers, writers, timeout) end

---Wait for some time.
---@param seconds number may have a fraction; 0 or less: do not wait
function sock99.sleep(seconds) end

---Open the socket that a table describes, as an object.
---
---A listener's descriptor is always non-blocking; the object's timeout determines
---whether its calls wait.
---@param t sock99.config as `open` takes it; `nonblocking` means `settimeout(0)`, and `timeout` applies only to the opening
---@return sock99.any? # the object
---@return string? message the stage that failed, the address or option, and the reason
---@return integer? code errno, or the EAI_ code of the stage "getaddrinfo"
---@return sock99.stage? stage
function sock99.socket(t) end

---Begin to open the socket that a table describes, without ever blocking.
---@param t sock99.config as `open` takes it
---@return sock99.opening? # the opening, to be stepped
---@return string? message the mistake in the table
---@return integer? code errno
---@return sock99.stage? stage
function sock99.start(t) end

---Make an object from a descriptor, which the object then owns.
---
---The kernel reports its family and type, and whether it listens or is connected;
---its flags are left alone.
---@param fd integer a TCP, UDP or Unix domain socket
---@return sock99.any? # the object
---@return string? message the error; the descriptor is still the caller's
---@return integer? code errno
function sock99.wrap(fd) end

---Bind the object to a local address.
---@param host string a numeric address, a name, or "*"; the path for a Unix socket
---@param port? integer|string 0: any free port (default: 0)
---@return 1?
---@return string? message the error
---@return integer? code errno, or the EAI_ code of the stage "getaddrinfo"
---@return string? # the stage: "getaddrinfo", "bind", "timeout", "configuration"
function socket:bind(host, port) end

---Close the socket.
---
---Unread bytes are dropped and unclaimed received descriptors are closed. Closing
---again does nothing.
---@return 1
function socket:close() end

---Release the descriptor: the object is closed, but the descriptor is not.
---
---Unclaimed received descriptors are closed.
---@return integer? # the descriptor, which the caller must close
---@return string? # bytes received but not yet read; nil if there are none; on failure "closed", or the error of a connect in progress
---@return integer? code errno, or the EAI_ code of the stage "getaddrinfo"
---@return string? # the stage of a failed connect
function socket:detach() end

---Whether bytes are buffered, so that `receive` can return some without waiting.
---@return boolean
function socket:dirty() end

---The event to watch `pollfd` for.
---@return 'r'|'w' # "w" after a call that timed out while sending or connecting; else "r", also while a name is looked up or its addresses are raced
function socket:events() end

---The family of the object's descriptor.
---@return 'inet4'|'inet6'|'unix'|nil
---@return string? message "closed"
function socket:getfamily() end

---The descriptor, which the object still owns.
---
---If the object is connecting to a name, this waits for the lookup, however long it
---takes; the connection then continues with one address, on the descriptor returned.
---`pollfd` never waits.
---@return integer # the descriptor; -1 if the object is closed
function socket:getfd() end

---Get an option of the socket.
---@param name string|sock99.raw_name a field of `options`, or the constant's name; or by number
---@return sock99.option_value? # a boolean, an integer, seconds, or a string, depending on the option. `linger` is false if it is off. By number: an integer if the value has 4 bytes, otherwise its bytes. An integer too large for this Lua's numbers is a string of its 8 bytes.
---@return string? message "closed" or another error
---@return integer? code errno; ENOPROTOOPT if this system lacks the option, or it can only be set
function socket:getoption(name) end

---Get the credentials of the peer of a Unix domain connection.
---
---They are those of the process that connected, listened or created the pair; its
---descriptor may have been passed to another process since.
---@return sock99.peercred?
---@return string? message "closed" or another error
---@return integer? code errno
function socket:getpeercred() end

---The address of the peer. The results are as those of `getsockname`.
---
---A connection returned by `accept` reports it even after the client has reset it.
---@return string? # the host
---@return integer|string|nil # the port; on failure the error
---@return 'inet'|'inet6'|integer|nil # the family; on failure errno
function socket:getpeername() end

---The object's local address.
---@return string? # the numeric host; for a Unix socket its path, or "" if it has none
---@return integer|string|nil # the port; nil for a Unix socket; on failure the error
---@return 'inet'|'inet6'|integer|nil # family; IPv4 through an IPv6 socket is "inet"; on failure errno
function socket:getsockname() end

---The object's traffic and age.
---@return integer # bytes received
---@return integer # bytes sent
---@return number # the object's age, in seconds
function socket:getstats() end

---The limits set by `settimeout`.
---@return number # seconds, mode "b"; -1: no limit
---@return number # seconds, mode "t"; -1: no limit
function socket:gettimeout() end

---The descriptor for a loop to watch. While the object connects to a name, this is one
---that is readable whenever the next call would make progress; query it after each call.
---@return integer # the descriptor; -1 if the object is closed
function socket:pollfd() end

---Receive data and the descriptors sent with it.
---
---They are close-on-exec, and yours to close. Data that `receive` has read ahead, and
---descriptors sent with it, are returned at once. `close` closes descriptors that were
---not requested.
---@param max? integer how many descriptors at most; the next call returns the others, with the data ""
---@return string? # data: a message, or the available bytes of a stream
---@return integer[]|string # descriptors; on failure "timeout", "closed", or another error
---@return 'truncated'|integer|nil # if the system closed some because the process has too many open; on failure errno; nil if the peer ended the stream
function socket:receivefds(max) end

---Send data to a Unix peer, and descriptors with its first byte.
---
---The peer receives duplicates; yours stay open and remain yours. A peer that reads
---without requesting descriptors may lose them.
---@param data string at least 1 byte
---@param fd integer|table|file* a descriptor, a socket, a Lua file, or any object with `getfd`; it stays open
---@param ... integer|table|file* more descriptors, at most 253 in total
---@return integer? # the number of bytes sent
---@return string? message "timeout", "closed", or another error
---@return integer? partial the number of bytes sent; if it is not 0, the descriptors have been sent; continue with `send` and the next byte
---@return integer? code errno
function socket:sendfds(data, fd, ...) end

---Give the object another descriptor, or none.
---
---The old one is not closed; unread bytes are dropped.
---@param fd integer the descriptor that the object owns from now on; -1 closes the object
---@return 1?
---@return string? message the error: the descriptor is still the caller's, the object is closed
---@return integer? code errno
function socket:setfd(fd) end

---Set an option of the socket.
---
---The name is the system's constant in lower case, with or without its prefix.
---@param name string|sock99.raw_option a field of `options`, or the constant's name; or by number
---@param value? sock99.option_value a boolean, an integer, seconds, a string, or `{group=, interface=, source=}` or a list of them, depending on the option; only a boolean may be omitted (default: true)
---@return 1?
---@return string? message "closed" or another error
---@return integer? code errno; ENOPROTOOPT if this system lacks the option
function socket:setoption(name, value) end

---Set the counts that `getstats` returns.
---@param received? integer bytes; unchanged if missing
---@param sent? integer bytes
---@param age? number in seconds
---@return 1
function socket:setstats(received, sent, age) end

---Limit how long calls on the object may take.
---
---A limit covers a whole call, however often the call waits. Each mode sets one limit,
---and the shorter one applies. With 0 a call never waits, and a call that always finds
---more to do ends after a mebibyte.
---@param seconds? number nil, negative or math.huge: no limit
---@param mode? 'b'|'t' the limit to set (default: "b")
---@return 1
function socket:settimeout(seconds, mode) end

---Shut down one direction of a connection, or both.
---@param how? 'both'|'send'|'receive' (default: "both")
---@return 1?
---@return string? message the error
---@return integer? code errno
function socket:shutdown(how) end

---Whether the object is ready regardless of its descriptor.
---@return integer? # 0 if bytes are buffered or a failure of `connect` is unreported; else nil
function socket:timeout() end

---Accept the next connection.
---@return sock99.stream? # the connection, without a timeout
---@return string? message "timeout", "closed", or another error
---@return integer? code errno
function stream:accept() end

---Connect the object, which becomes a client.
---
---The object's timeouts limit the call, including the lookup of a name. After a timeout
---the connection is still being made, and the object is a client: to continue, call again
---with the same host and port, or wait until the object is writable and use it. With
---another destination the error is EALREADY. A name's addresses are tried in turn.
---@param host string a numeric address or a name; the path for a Unix socket
---@param port integer|string
---@return 1?
---@return string? message "timeout", "closed", or another error
---@return integer? code errno, or the EAI_ code of the stage "getaddrinfo"
---@return string? # the stage: "getaddrinfo", "connect", "timeout", "configuration"
function stream:connect(host, port) end

---Iterate over lines until the peer ends the stream.
---
---A last line without an end is returned, too. Over SOCK_SEQPACKET, an iteration returns
---a whole record. Any other error is raised.
---@param keep? boolean whether lines keep their ends (default: false)
---@return fun(): string|nil # an iterator
function stream:lines(keep) end

---Listen for connections: the object becomes a server.
---@param backlog? integer connections that may wait; SOMAXCONN by default
---@return 1?
---@return string? message the error
---@return integer? code errno
---@return string? # the stage: "listen", "fcntl"
function stream:listen(backlog) end

---Receive bytes.
---@param pattern? integer|'*l'|'*L'|'*a'|'l'|'L'|'a' a number: that many bytes; `"*l"` or `"l"`: a line without its end (LF or CR LF); `"*L"` or `"L"`: a line with its end; `"*a"` or `"a"`: everything until the peer ends the stream (default: "*l")
---@param prefix? string the partial result of an earlier call; the result begins with it, and a number of bytes includes it
---@return string? # the bytes or the line
---@return string? message "timeout", "closed", or another error
---@return string? partial the partial result, which begins with the prefix
---@return integer? code errno; nil if the peer ended the stream
function stream:receive(pattern, prefix) end

---Receive available bytes, at least one.
---@param max? integer at most this many bytes
---@return string? # the bytes
---@return string? message "timeout", "closed", or another error
---@return string? partial ""
---@return integer? code errno; nil if the peer ended the stream
function stream:receiveany(max) end

---Send bytes.
---@param data string|number|(string|number)[] the bytes; a list of strings and numbers is sent with one system call for every 1,024 entries
---@param i? integer the first byte to send, as in `string.sub` (default: 1)
---@param j? integer the last one (default: -1)
---@return integer? # index of the last byte sent; the bytes of a list are counted as if it were one string
---@return string? message "timeout", "closed", or another error
---@return integer? partial the same index; continue with the next byte
---@return integer? code errno
function stream:send(data, i, j) end

---Send a file without passing its contents through Lua.
---
---A Lua file is flushed first. Without `offset`, the file's position moves past the
---bytes sent, so after a timeout the same call continues. The object's timeouts
---apply to sending, and to reading from a descriptor that cannot seek (a pipe).
---@param file file*|integer a Lua file or a descriptor
---@param offset? integer of the first byte to send, from 0; default: the file's position
---@param count? integer number of bytes; default: up to the end of the file
---@return integer? # bytes sent; fewer than `count` if the file has ended
---@return string? message "timeout", "closed", or another error
---@return integer? partial bytes sent so far
---@return integer? code errno
---@return string? # bytes that were read from a pipe but not sent; they cannot be read again
function stream:sendfile(file, offset, count) end

return sock99
