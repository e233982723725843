/* librdkafka 2.12.1 includes this header although it is built without curl (confluentinc/librdkafka#5135). Nothing in it is used. */
