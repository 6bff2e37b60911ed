-- The calls that the product makes to the system, and how each may fail: the
-- errors that its page of the Linux manual names (sections 2, 3 and 7), and
-- those that POSIX adds. Then the functions that it imports and that no fault is
-- made for, with the reason.

local calls = {}

local sending = 'EACCES EAGAIN EALREADY EBADF ECONNREFUSED ECONNRESET EDESTADDRREQ EFAULT EINTR ' ..
  'EINVAL EIO EISCONN EMSGSIZE ENETDOWN ENETUNREACH EHOSTUNREACH ENOBUFS ENOMEM ENOTCONN ' ..
  'ENOTSOCK EOPNOTSUPP EPERM EPIPE ETIMEDOUT'
local receiving = 'EAGAIN EBADF ECONNREFUSED ECONNRESET EFAULT EHOSTUNREACH EINTR EINVAL EIO ' ..
  'ENOBUFS ENOMEM ENOTCONN ENOTSOCK EOPNOTSUPP ETIMEDOUT'
local writing = 'EAGAIN EBADF EFBIG EINTR EIO ENOSPC ENXIO EPIPE'

calls.errors = {
  accept4 = 'EAGAIN EBADF ECONNABORTED EFAULT EHOSTDOWN EHOSTUNREACH EINTR EINVAL EMFILE ' ..
    'ENETDOWN ENETUNREACH ENFILE ENOBUFS ENOMEM ENONET ENOPROTOOPT ENOSR ENOTSOCK EOPNOTSUPP ' ..
    'EPERM EPROTO EPROTONOSUPPORT ESOCKTNOSUPPORT ETIMEDOUT',
  bind = 'EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EBADF EFAULT EINVAL EIO EISDIR ELOOP ' ..
    'ENAMETOOLONG ENOBUFS ENOENT ENOMEM ENOTDIR ENOTSOCK EOPNOTSUPP EROFS',
  chmod = 'EACCES EFAULT EIO ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EPERM EROFS',
  -- Linux closes the descriptor in any case, and EBADF is never the product's.
  close = 'EDQUOT EINTR EIO ENOSPC',
  connect = 'EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF ECONNREFUSED ' ..
    'ECONNRESET EFAULT EHOSTUNREACH EINPROGRESS EINTR EINVAL EIO EISCONN ELOOP ENAMETOOLONG ' ..
    'ENETDOWN ENETUNREACH ENOBUFS ENOENT ENOTDIR ENOTSOCK EOPNOTSUPP EPERM EPROTOTYPE ETIMEDOUT',
  -- These two have no errno.
  epoll_create1 = 'EINVAL EMFILE ENFILE ENOMEM',
  epoll_add = 'EBADF EEXIST EINVAL ELOOP ENOENT ENOMEM ENOSPC EPERM',
  epoll_delete = 'EBADF EINVAL ENOENT ENOMEM EPERM',
  eventfd = 'EINVAL EMFILE ENFILE ENODEV ENOMEM',
  fchmod = 'EACCES EBADF EIO EPERM EROFS',
  -- Of the commands that are used: the others are locks and leases.
  fcntl = 'EBADF EINVAL ENOMEM EPERM',
  fflush = writing .. ' ENOMEM',
  fileno = 'EBADF',
  fprintf = writing .. ' EILSEQ ENOMEM EOVERFLOW',
  fread = 'EAGAIN EBADF EINTR EIO ENOMEM ENXIO EOVERFLOW',
  fseeko = writing .. ' EINVAL EOVERFLOW ESPIPE',
  fstat = 'EBADF EFAULT EIO ENOMEM EOVERFLOW',
  ftello = 'EBADF EINVAL EOVERFLOW ESPIPE',
  getaddrinfo = 'EAI_ADDRFAMILY EAI_AGAIN EAI_BADFLAGS EAI_FAIL EAI_FAMILY EAI_MEMORY ' ..
    'EAI_NODATA EAI_NONAME EAI_SERVICE EAI_SOCKTYPE EAI_SYSTEM',
  gethostname = 'EFAULT EINVAL ENAMETOOLONG EPERM',
  -- "for any of the errors specified for socket(2), bind(2), getsockname(2), recvmsg(2), …"
  getifaddrs = 'EACCES EMFILE ENFILE ENOBUFS ENOMEM',
  getnameinfo = 'EAI_AGAIN EAI_BADFLAGS EAI_FAIL EAI_FAMILY EAI_MEMORY EAI_NONAME EAI_OVERFLOW ' ..
    'EAI_SYSTEM',
  getpeername = 'EBADF EFAULT EINVAL ENOBUFS ENOTCONN ENOTSOCK EOPNOTSUPP',
  getrlimit = 'EFAULT EINVAL',
  getsockname = 'EBADF EFAULT EINVAL ENOBUFS ENOTSOCK EOPNOTSUPP',
  getsockopt = 'EACCES EBADF EFAULT EINVAL ENOBUFS ENOPROTOOPT ENOTSOCK',
  if_indextoname = 'ENXIO',
  if_nametoindex = 'EMFILE ENFILE ENOBUFS ENODEV ENOMEM',
  link = 'EACCES EDQUOT EEXIST EFAULT EIO ELOOP EMLINK ENAMETOOLONG ENOENT ENOMEM ENOSPC ' ..
    'ENOTDIR EPERM EROFS EXDEV',
  listen = 'EACCES EADDRINUSE EBADF EDESTADDRREQ EINVAL ENOBUFS ENOTSOCK EOPNOTSUPP',
  lseek = 'EBADF EINVAL ENXIO EOVERFLOW ESPIPE',
  lstat = 'EACCES EFAULT EIO ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EOVERFLOW',
  -- EINTR: "while blocked waiting to complete an open of a slow device".
  open = 'EACCES EBUSY EDQUOT EEXIST EFAULT EFBIG EINTR EINVAL EISDIR ELOOP EMFILE ENAMETOOLONG ' ..
    'ENFILE ENODEV ENOENT ENOMEM ENOSPC ENOTDIR ENXIO EOPNOTSUPP EOVERFLOW EPERM EROFS ETXTBSY',
  poll = 'EAGAIN EFAULT EINTR EINVAL ENOMEM',
  pread = 'EAGAIN EBADF EFAULT EINTR EINVAL EIO EISDIR ENXIO EOVERFLOW ESPIPE',
  pthread_attr_init = 'ENOMEM',
  pthread_cond_init = 'EAGAIN ENOMEM',
  pthread_condattr_init = 'ENOMEM',
  pthread_create = 'EAGAIN EINVAL EPERM',
  pthread_mutex_init = 'EAGAIN ENOMEM EPERM',
  pthread_sigmask = 'EFAULT EINVAL',
  read = 'EAGAIN EBADF EFAULT EINTR EINVAL EIO EISDIR',
  recv = receiving,
  recvfrom = receiving,
  recvmmsg = receiving,
  recvmsg = receiving .. ' EMSGSIZE',
  renameat2 = 'EACCES EBUSY EDQUOT EEXIST EFAULT EINVAL EISDIR ELOOP EMLINK ENAMETOOLONG ENOENT ' ..
    'ENOMEM ENOSPC ENOSYS ENOTDIR ENOTEMPTY EPERM EROFS EXDEV',
  send = sending,
  -- What sending a byte of a socket may say, too.
  sendfile = 'EAGAIN EBADF ECONNRESET EFAULT EINTR EINVAL EIO ENOMEM ENOSYS ENOTCONN EOVERFLOW ' ..
    'EPIPE ESPIPE',
  sendmmsg = sending,
  sendmsg = sending .. ' ELOOP ENAMETOOLONG ENOENT ENOTDIR ETOOMANYREFS',
  sendto = sending .. ' EAFNOSUPPORT ELOOP ENAMETOOLONG ENOENT ENOTDIR',
  setsockopt = 'EACCES EBADF EDOM EFAULT EINVAL EISCONN ENOBUFS ENOMEM ENOPROTOOPT ENOTSOCK EPERM',
  shutdown = 'EBADF EINVAL ENOBUFS ENOTCONN ENOTSOCK',
  sigpending = 'EFAULT',
  sigtimedwait = 'EAGAIN EINTR EINVAL',
  socket = 'EACCES EAFNOSUPPORT EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPROTONOSUPPORT EPROTOTYPE',
  socketpair = 'EACCES EAFNOSUPPORT EFAULT EMFILE ENFILE ENOBUFS ENOMEM EOPNOTSUPP ' ..
    'EPROTONOSUPPORT EPROTOTYPE',
  timerfd_create = 'EINVAL EMFILE ENFILE ENODEV ENOMEM EPERM',
  timerfd_settime = 'EBADF ECANCELED EFAULT EINVAL',
  unlink = 'EACCES EBUSY EFAULT EIO EISDIR ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EPERM EROFS',
  unsetenv = 'EINVAL ENOMEM',
  -- To the eventfd of a lookup, which has room: eventfd(2) names nothing else.
  write = 'EINTR',
}

-- These do their work and say that they failed (close(2): "the file descriptor …
-- is always closed").
calls.done_all_the_same = { close = true }

-- What may do less than it was asked for.
calls.may_be_short = {
  fread = true, pread = true, read = true, recv = true, recvmmsg = true, recvmsg = true,
  send = true, sendfile = true, sendmmsg = true, sendmsg = true,
}

-- The names that a symbol has beside its own.
calls.aliases = {
  epoll_ctl = 'epoll_add', syscall = 'renameat2',
}

-- Imported, and not made to fail.
local exempt = {
  ['memory, in the hands of the tests of allocation'] =
    'malloc calloc realloc free freeaddrinfo freeifaddrs',
  ['computes; asks the system for nothing'] = [[
    memchr memcmp memcpy memmove memset strchr strcmp strcspn strlen strncasecmp strncmp strnlen
    strrchr strspn strtol strtoll strtoul strtoull
    snprintf vsnprintf strerror_r gai_strerror inet_ntop
    inet_pton sigaddset sigemptyset sigfillset sigismember htons ntohs htonl ntohl strcasecmp
    strtod memrchr strpbrk strstr]],
  ['tells of a stream, and does nothing'] = 'ferror clearerr',
  ['cannot fail'] = 'getpid getenv sched_yield pthread_once',
  ['fails for a clock that is not there, and CLOCK_MONOTONIC is'] = 'clock_gettime gettimeofday',
  ['fails for a name that is not known, and then the constant counts'] = 'sysconf',
  ['fails for an argument that is wrong, and these are constants'] =
    'pthread_attr_getstacksize pthread_attr_setdetachstate pthread_attr_setstacksize ' ..
    'pthread_condattr_setclock sigaction',
  ['ends a wait of an idle thread, which the harness makes short'] = 'pthread_cond_timedwait',
  ['is called when the object is loaded'] = 'dladdr dlopen register_atfork pthread_atfork',
  ['fails for an object that is not initialized, or for a lock held twice'] =
    'pthread_attr_destroy pthread_cond_destroy pthread_cond_signal pthread_condattr_destroy ' ..
    'pthread_mutex_destroy pthread_mutex_lock pthread_mutex_unlock',
  ['data'] = 'in6addr_any in6addr_loopback environ stderr stdout',
  ["the compiler's and the loader's own"] = [[
    _ITM_deregisterTMCloneTable _ITM_registerTMCloneTable cxa_finalize errno_location gmon_start
    stack_chk_fail _Unwind_Resume tls_get_addr ctype_b_loc]],
}

calls.exempt = {}
for reason, names in pairs(exempt) do
  for name in names:gmatch '%S+' do
    calls.exempt[name] = reason
  end
end


-- The call that a symbol stands for: `__pread64_chk` is pread.
function calls.name_of(symbol)
  local name = symbol:gsub('@.*', ''):gsub('^__', ''):gsub('_chk$', ''):gsub('64$', '')
  name = name:gsub('^open64_2$', 'open'):gsub('^open_2$', 'open'):gsub('64$', '')
  name = name:gsub('^gmon_start__$', 'gmon_start')
  return calls.aliases[name] or name
end


return calls
