# A kernel runs this file before its first cell, in the namespace of the cells: no name stays.
if __name__ == "__main__":
    __import__("one_ulp").install()
