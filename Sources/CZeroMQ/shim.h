#include <zmq.h>

// The counter that wakes a zmq_poll from another thread. Swift's Glibc module does not carry this header.
#include <sys/eventfd.h>
